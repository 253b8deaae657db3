/**
 * Resource use of a process, from Linux.
 * @module
 */
import { readdir, readFile } from 'node:fs/promises'

/** Length of a clock tick in milliseconds. Linux reports 100 ticks per second to programs. */
const TICK_MS = 10

/** CPU time of a process so far, in user and kernel mode, in milliseconds. */
export async function cpuMs(pid: number): Promise<number> {
  const [user = 0, kernel = 0] = (await statOf(pid)).slice(11, 13).map(Number)
  return (user + kernel) * TICK_MS
}

/** Resident memory of a process in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0)
}

/** Child processes of this process with a program name, e.g. `workerd`. */
export async function childrenNamed(name: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [, parent] = await statOf(pid).catch(() => [])
      const own = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
      return Number(parent) === process.pid && own.trim() === name ? [pid] : []
    }),
  )
  return found.flat()
}

/** Fields of /proc/PID/stat after the program's name, starting with the state. */
async function statOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}
