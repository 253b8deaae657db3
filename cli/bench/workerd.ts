/**
 * What this process's workerd children use, as Linux tells it.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'

/** Bytes of memory that the workerd children hold (resident set); null where /proc is missing. */
export function workerdMemory(): number | null {
  try {
    let kilobytes = 0
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue
      const status = readFileOrNothing(`/proc/${pid}/status`)
      if (!status.startsWith('Name:\tworkerd\n') || !status.includes(`\nPPid:\t${process.pid}\n`)) continue
      kilobytes += Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0)
    }
    return kilobytes > 0 ? kilobytes * 1024 : null
  } catch {
    return null
  }
}

/** A process may be gone before its file is read. */
function readFileOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
