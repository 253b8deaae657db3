/**
 * A local llama.cpp server that can be killed and paused.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../bench/workerd.ts'

/** Faults that can be injected. */
export const LLAMA_FAULTS = ['killed', 'paused'] as const
export type LlamaFault = (typeof LLAMA_FAULTS)[number]

const SERVE = join(import.meta.dirname, '../embedders/serve.py')
const READY_MS = 120_000
const ANSWER_MS = 2_000
/** The server ends by itself after this time, in seconds. */
const LIFETIME = '7200'

export class LlamaProcess {
  readonly url: string
  readonly #command: readonly [python: string, ...parameters: string[]]
  #child: ChildProcess | null = null

  private constructor(command: readonly [string, ...string[]], port: number) {
    this.#command = command
    this.url = `http://127.0.0.1:${port}`
  }

  /**
   * Starts lab/embedders/serve.py.
   * @param python a Python with `xllamacpp`
   * @param model a GGUF file
   */
  static async start(python: string, model: string, serves: 'chat' | 'embeddings'): Promise<LlamaProcess> {
    const port = await freePort()
    const mode = serves === 'chat' ? ['--chat'] : []
    const server = new LlamaProcess([python, SERVE, model, String(port), '--seconds', LIFETIME, ...mode], port)
    await server.#run()
    return server
  }

  /** Injects a fault for some seconds. */
  async meet(fault: LlamaFault, seconds: number): Promise<void> {
    if (fault === 'paused') this.#child?.kill('SIGSTOP')
    else await this.stop()
    await sleep(seconds * 1_000)
    if (fault === 'paused') this.#child?.kill('SIGCONT')
    else await this.#run()
  }

  /** Kills it. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (!child || hasEnded(child)) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async #run(): Promise<void> {
    const [python, ...parameters] = this.#command
    const child = spawn(python, parameters, { stdio: ['ignore', 'ignore', 'ignore'] })
    this.#child = child
    let failure: Error | null = null
    child.on('error', (error) => {
      failure = error
    })
    const end = performance.now() + READY_MS
    while (performance.now() < end) {
      if (failure) throw failure
      if (hasEnded(child)) throw new Error(`The server ended with ${child.exitCode ?? child.signalCode}.`)
      const ready = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(ANSWER_MS) }).then(
        ({ ok }) => ok,
        () => false,
      )
      if (ready) return
      await sleep(100)
    }
    throw new Error(`The server did not answer within ${READY_MS / 1000} s.`)
  }
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null
