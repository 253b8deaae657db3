/** The whole Worker with the sentence embedder. Background work runs only when a test asks for it. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import type { Env } from '../../../src/env.ts'
import worker from '../../../src/worker.ts'

export const bindings = {
  ...env,
  EMBEDDER: 'minilm',
  JOBS: { send: async () => undefined, sendBatch: async () => undefined },
} as unknown as Env

/** Sends a request with a JSON body and returns the status and the answer. */
export async function call(method: string, path: string, body?: unknown, to: Env = bindings) {
  const context = createExecutionContext()
  const request = new Request(new URL(path, 'http://localhost'), {
    method,
    headers: { 'Content-Type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const response = await worker.fetch(request, to, context)
  await waitOnExecutionContext(context)
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
  }
}
