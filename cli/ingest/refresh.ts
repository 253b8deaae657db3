/**
 * Ingests previously ingested folders again. Concurrent runs for the same folder are combined: the first one repeats
 * until there are no further requests.
 * @module
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ingest } from '../ingest.ts'
import { parseOptions } from './options.ts'
import { argumentsOf, type KnownFolder, stateFolder } from './registry.ts'
import type { Report } from './report.ts'

/**
 * Ingests a folder with the options of its last run.
 * @returns undefined if another process does it, including changes made since it started
 */
export async function refreshFolder(known: KnownFolder, key: string | undefined): Promise<Report | undefined> {
  const options = parseOptions([...argumentsOf(known), '--quiet'], {})
  if (!options) return undefined
  const lock = new Lock([known.url, known.project, known.source, known.folder].join('\n'))
  if (!lock.take()) return undefined
  try {
    let report: Report
    do report = await ingest({ ...options, key })
    while (lock.wasAsked())
    return report
  } finally {
    lock.release()
  }
}

/** Allows one process at a time. Other processes leave a request. */
class Lock {
  private readonly file: string
  private readonly word: string

  constructor(name: string) {
    const id = createHash('sha256').update(name).digest('hex').slice(0, 16)
    this.file = join(stateFolder(), `refresh-${id}.lock`)
    this.word = join(stateFolder(), `refresh-${id}.again`)
  }

  take(): boolean {
    try {
      mkdirSync(stateFolder(), { recursive: true })
      writeFileSync(this.file, String(process.pid), { flag: 'wx' })
    } catch {
      if (isRunning(this.holder())) {
        writeFileSync(this.word, '')
        return false
      }
      writeFileSync(this.file, String(process.pid))
    }
    rmSync(this.word, { force: true })
    return true
  }

  /** Whether there was a request since the last call. */
  wasAsked(): boolean {
    try {
      rmSync(this.word)
      return true
    } catch {
      return false
    }
  }

  release(): void {
    rmSync(this.file, { force: true })
  }

  private holder(): number {
    try {
      return Number(readFileSync(this.file, 'utf8'))
    } catch {
      return 0
    }
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
