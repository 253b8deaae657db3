/**
 * `npm run --prefix lab bundle-size`: how large the Worker is when it is uploaded.
 * @module
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildWorker } from '../../cli/harness.ts'

/** Largest allowed size, gzip, in bytes. The free plan allows 3 MB; model data is a static asset. */
const MAX_BYTES = 1_000_000

/** Builds the Worker and prints its size; 1 when the limit is exceeded. */
export async function run(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-coordinator-size-'))
  try {
    await buildWorker(folder)
    let bytes = 0
    for (const name of await readdir(folder)) {
      if (/\.(js|wasm)$/.test(name)) bytes += gzipSync(await readFile(join(folder, name)), { level: 9 }).length
    }
    const kilobytes = (size: number) => `${(size / 1000).toFixed(0)} kB`
    process.stdout.write(`Worker, gzip: ${kilobytes(bytes)} (limit ${kilobytes(MAX_BYTES)})\n`)
    return bytes <= MAX_BYTES ? 0 : 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
