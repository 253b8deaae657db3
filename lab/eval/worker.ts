/**
 * The coordinator for an evaluation: a running one, or a new local one.
 * @module
 */
import { mkdir } from 'node:fs/promises'
import { createHttpClient, type HttpClient, startLocalWorker } from '../../cli/harness.ts'
import { UsageError } from '../../cli/shared/args.ts'

/** No random hold-outs, so that a measurement is reproducible. */
const REPEATABLE = { HOLD_OUT_SHARE: '0' }

/**
 * Runs a measurement against a coordinator.
 * @param url URL of a running coordinator; undefined: a local Worker in workerd, stopped afterwards
 * @param state folder with the databases of the local Worker; undefined: empty databases
 * @param variables settings of the local Worker
 * @param bundle a folder that `buildWorker` has filled, to build once for several Workers
 */
export async function withCoordinator<T>(
  options: {
    url?: string
    key?: string
    state?: string
    variables?: Readonly<Record<string, string>>
    bundle?: string
  },
  work: (http: HttpClient, url: string) => Promise<T>,
): Promise<T> {
  const { url, key, state, variables, bundle } = options
  if (url) return work(createHttpClient({ url, key }), url)
  if (state) await mkdir(state, { recursive: true })
  const worker = await startLocalWorker({ stateFolder: state, bundle, variables: { ...REPEATABLE, ...variables } })
  try {
    return await work(createHttpClient({ url: worker.url }), worker.url)
  } finally {
    await worker.stop()
  }
}

/** Parses settings given as NAME=VALUE. */
export function variablesOf(given: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    given.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError(`--variable must be NAME=VALUE, not "${pair}"`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}
