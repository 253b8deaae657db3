/**
 * Measures the ingestion of a folder with the sentence embedder: time until its text is found by keyword, time until it
 * is found by meaning, and CPU.
 * @module
 */
import { startLocalWorker } from '../../cli/harness.ts'
import { runIngest, workerCpu } from '../eval/ingestion/command.ts'

export interface IngestionCosts {
  readonly chunks: number
  /** Seconds from the start of the command until all text is stored, and until all vectors are stored. */
  readonly words: number
  readonly vectors: number | null
  /** CPU seconds of the command including its threads, and of the Worker. */
  readonly commandCpu: number
  readonly workerCpu: number
}

/**
 * Ingests a folder with the product's command into a new local Worker.
 * @throws Error if it fails
 */
export async function ingestionCosts(
  folder: string,
  variables: Readonly<Record<string, string>>,
): Promise<IngestionCosts> {
  const worker = await startLocalWorker({ variables })
  try {
    const before = await workerCpu()
    const { report, cpu } = await runIngest(folder, ['--url', worker.url, '--project', 'measured'])
    if (report.failure) throw new Error(report.failure.message)
    if (report.vectors?.left) throw new Error(report.vectors.left)
    return {
      chunks: report.chunks.added,
      words: report.seconds,
      vectors: report.vectors?.seconds ?? null,
      commandCpu: cpu,
      workerCpu: (await workerCpu()) - before,
    }
  } finally {
    await worker.stop()
  }
}
