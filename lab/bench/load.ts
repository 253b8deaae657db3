/**
 * Sends requests to a Worker and measures them, alternating between targets, so that other load on the machine affects
 * all of them equally.
 * @module
 */
import autocannon from 'autocannon'

/** One request as sent over the network. */
export interface Shot {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A measured target: its address, and its requests in order. */
export interface Target {
  readonly name: string
  /** Base URL without a path. */
  readonly url: string
  readonly next: () => Shot
}

/** Latencies in milliseconds. */
export interface Load {
  readonly requests: number
  readonly per_second: number
  readonly p50_ms: number
  readonly p95_ms: number
  readonly p99_ms: number
}

/** Duration and number of rounds. */
export interface Effort {
  readonly rounds: number
  /** Seconds per target and round. */
  readonly seconds: number
}

interface Pooled {
  readonly latencies: number[]
  seconds: number
}

/**
 * Measures targets alternately over several rounds. The latencies of all rounds are combined.
 * @throws Error if an answer isn't a success, with its text
 */
export async function measure(targets: readonly Target[], connections: number, effort: Effort): Promise<Load[]> {
  for (const target of targets) await check(target)
  const pooled = targets.map((): Pooled => ({ latencies: [], seconds: 0 }))
  for (let round = 0; round < effort.rounds; round++) {
    for (const [i, target] of targets.entries()) {
      const into = pooled[i]
      if (into) await shootAt(target, connections, effort.seconds, into)
    }
  }
  return pooled.map(summary)
}

async function shootAt(target: Target, connections: number, seconds: number, into: Pooled): Promise<void> {
  const { non2xx, errors, duration } = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url: target.url,
        connections,
        duration: seconds,
        requests: [
          {
            setupRequest: (request) => {
              const { method, path, headers, body } = target.next()
              return { ...request, method, path, headers: { ...headers }, body }
            },
          },
        ],
      },
      (error: unknown, result: autocannon.Result) => (error ? reject(error) : resolve(result)),
    )
    // autocannon's own histogram counts whole milliseconds. The times of single responses are more precise.
    instance.on('response', (_client, _status, _bytes, milliseconds) => into.latencies.push(milliseconds))
  })
  if (non2xx + errors > 0) throw new Error(`${target.name}: ${non2xx} answers were no success, ${errors} failed`)
  into.seconds += duration
}

/** Sends one request and checks the answer, because a fast error would look like a good result. */
async function check(target: Target): Promise<void> {
  const { method, path, headers, body } = target.next()
  const response = await fetch(target.url + path, { method, headers, body })
  const text = await response.text()
  if (!response.ok || /"isError":\s*true|"jsonrpc":"2\.0"[^{}]*"error":/.test(text)) {
    throw new Error(`${target.name}: ${response.status} ${text.slice(0, 400)}`)
  }
}

function summary({ latencies, seconds }: Pooled): Load {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return {
    requests: sorted.length,
    per_second: seconds > 0 ? sorted.length / seconds : 0,
    p50_ms: at(0.5),
    p95_ms: at(0.95),
    p99_ms: at(0.99),
  }
}
