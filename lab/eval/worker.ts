/**
 * The coordinator that an evaluation measures: one that runs already, or a fresh local one.
 * @module
 */
import { createHttpClient, type HttpClient, startLocalWorker } from '../../cli/harness.ts'

/** Nothing is left out at random, so that a measurement can be repeated. */
const REPEATABLE = { HOLD_OUT_SHARE: '0' }

/**
 * Runs a measurement against a coordinator.
 * @param url of a running one; undefined: a fresh Worker in workerd with empty databases, stopped afterwards
 * @param variables for the fresh Worker
 */
export async function withCoordinator<T>(
  options: { url?: string; key?: string; variables?: Readonly<Record<string, string>> },
  work: (http: HttpClient, url: string) => Promise<T>,
): Promise<T> {
  if (options.url) return work(createHttpClient({ url: options.url, key: options.key }), options.url)
  const worker = await startLocalWorker({ variables: { ...REPEATABLE, ...options.variables } })
  try {
    return await work(createHttpClient({ url: worker.url }), worker.url)
  } finally {
    await worker.stop()
  }
}
