/**
 * A local Qdrant server that can be killed, paused and deprived of disk space.
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../bench/workerd.ts'

/** Faults that can be injected. */
export const QDRANT_FAULTS = ['killed', 'paused', 'disk full'] as const
export type QdrantFault = (typeof QDRANT_FAULTS)[number]

const READY_MS = 120_000
const ANSWER_MS = 2_000
/** A collection with its indexes takes some 170 MB. */
const DISK = '2500m'
/** Free space left when the disk is full, in bytes: less than any file that Qdrant creates. */
const CHUNK = 1 << 20

export class QdrantProcess {
  readonly url: string
  readonly #binary: string
  readonly #folder: string
  readonly #grpcPort: number
  /** Whether its folder is a separate file system, which can be filled. */
  readonly limited: boolean
  #child: ChildProcess | null = null
  #log = ''

  private constructor(binary: string, folder: string, port: number, grpcPort: number, limited: boolean) {
    this.#binary = binary
    this.#folder = folder
    this.#grpcPort = grpcPort
    this.url = `http://127.0.0.1:${port}`
    this.limited = limited
  }

  /**
   * Starts a server on a new folder: a separate in-memory file system, if mounting one is allowed.
   * @param binary Qdrant's executable
   */
  static async start(binary: string): Promise<QdrantProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'qdrant-'))
    const limited = await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', folder]).then(
      () => true,
      () => false,
    )
    const server = new QdrantProcess(binary, folder, await freePort(), await freePort(), limited)
    await server.#run()
    return server
  }

  /** Process id; 0 while it is dead. */
  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Kills it, like a power failure. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (!child || hasEnded(child)) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Restarts it with the same data. Returns when it answers. */
  async revive(): Promise<void> {
    if (!this.#child) await this.#run()
  }

  /** Injects a fault for some seconds. */
  async meet(fault: QdrantFault, seconds: number): Promise<void> {
    if (fault === 'killed') await this.kill()
    else if (fault === 'paused') this.#child?.kill('SIGSTOP')
    else await this.#fill()
    await sleep(seconds * 1_000)
    if (fault === 'killed') await this.revive()
    else if (fault === 'paused') this.#child?.kill('SIGCONT')
    else {
      await rm(join(this.#folder, 'ballast'), { force: true })
      // A server that ended because it could not write (by exit, or SIGBUS) is restarted, as by a supervisor.
      if (this.#child && hasEnded(this.#child)) this.#child = null
      await this.revive()
    }
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGCONT')
    await this.kill()
    if (this.limited) await promisify(execFile)('umount', [this.#folder])
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #fill(): Promise<void> {
    if (!this.limited) throw new Error('The disk can only be filled where a file system of its own may be mounted.')
    const file = await open(join(this.#folder, 'ballast'), 'w')
    try {
      for (const size of [CHUNK, 4096]) {
        const zeros = Buffer.alloc(size)
        while (
          await file.write(zeros).then(
            ({ bytesWritten }) => bytesWritten === size,
            () => false,
          )
        );
      }
    } finally {
      await file.close()
    }
  }

  async #run(): Promise<void> {
    await mkdir(join(this.#folder, 'storage'), { recursive: true })
    const child = spawn(this.#binary, [], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        QDRANT__SERVICE__HOST: '127.0.0.1',
        QDRANT__SERVICE__HTTP_PORT: new URL(this.url).port,
        QDRANT__SERVICE__GRPC_PORT: String(this.#grpcPort),
        QDRANT__STORAGE__STORAGE_PATH: join(this.#folder, 'storage'),
        QDRANT__STORAGE__SNAPSHOTS_PATH: join(this.#folder, 'snapshots'),
        // Each collection reserves twice this space.
        QDRANT__STORAGE__WAL__WAL_CAPACITY_MB: '2',
        QDRANT__TELEMETRY_DISABLED: 'true',
        QDRANT__LOG_LEVEL: 'WARN',
      },
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (part: Buffer) => {
        this.#log = `${this.#log}${part}`.slice(-4_000)
      })
    }
    const end = performance.now() + READY_MS
    while (performance.now() < end) {
      if (hasEnded(child)) throw new Error(`Qdrant ended with ${child.exitCode ?? child.signalCode}:\n${this.#log}`)
      const ready = await fetch(this.url, { signal: AbortSignal.timeout(ANSWER_MS) }).then(
        ({ ok }) => ok,
        () => false,
      )
      if (ready) return
      await sleep(100)
    }
    throw new Error(`Qdrant did not answer within ${READY_MS / 1000} s:\n${this.#log}`)
  }
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null
