/**
 * Degradation as a contract: for each engine, what still works when it fails, what the answer contains, and how long it
 * may take; for each fault, the reported reason. The fault table tests the coordinator against it, and
 * `docs/engines.md` contains it.
 */
import type { Fault } from './faults.ts'

export interface Promised {
  readonly works: string
  /** Parts listed in `degraded`; null: the request itself fails with 503 `engine_unavailable`. */
  readonly degraded: readonly string[] | null
  /** Other content of the answer. */
  readonly says?: string
  /** Maximum wait, in milliseconds, for each of `calls`. */
  readonly deadlineMs: number
}

const chat = (side: 'local' | 'remote', instead: string): Promised => ({
  works: `retrieval, routing, learning; ${instead}`,
  degraded: [`${side}_model`],
  says: 'the reason in `decision.fallbacks`; the prompt in `augmented_prompt`',
  deadlineMs: 60_000,
})

const streamed: Promised = {
  works: 'another configured model answers if nothing was sent yet; a fragment is kept as `incomplete`',
  degraded: null,
  says: 'a 429 is passed on as 429 `rate_limited`; after the first words: an error in the stream, and never `[DONE]`',
  deadlineMs: 300_000,
}

const embeddings: Promised = {
  works: 'search by words; what is stored is found by words at once and embedded by a job later',
  degraded: ['vectors'],
  says: 'when storing, `pending_vectors`',
  deadlineMs: 10_000,
}

export const PROMISED = {
  'llama.cpp, chat': chat('local', "a configured remote model answers, else the caller's own"),
  'llama.cpp, chat through `/v1`, streamed': streamed,
  'llama.cpp, embeddings': embeddings,
  'llama.cpp, reranker': { works: 'search in the order of its lists', degraded: ['reranker'], deadlineMs: 1_500 },
  'remote model': chat('remote', "a configured local model answers, else the caller's own"),
  'remote model through `/v1`, streamed': streamed,
  Qdrant: {
    works: 'recording interactions, outcomes and corrections; jobs wait; other collections when only one fails',
    degraded: null,
    says: 'when one collection of several fails: `degraded: ["collection:<name>"]`',
    deadlineMs: 8_000,
  },
  'Workers AI as local model': chat('local', "a configured remote model answers, else the caller's own"),
  'Workers AI as remote model through `/v1`, streamed': streamed,
  'Workers AI, embeddings': embeddings,
  'AIDB, ranked list': { works: 'search of everything stored here', degraded: ['aidb'], deadlineMs: 1_500 },
  'AIDB, embeddings': embeddings,
} as const satisfies Readonly<Record<string, Promised>>

export type EngineName = keyof typeof PROMISED

/** Possible reasons in an answer, by fault. */
export const REASONS: Readonly<Record<Fault, readonly string[]>> = {
  refused: ['could not be reached'],
  'reset mid-body': ['broke off in the middle of its answer', 'could not be reached'],
  'status 500': ['answered with status 500'],
  'status 429': ['has too much to do'],
  '30 s of silence': ['did not answer within', 'could not be reached'],
  'slow drip': ['did not answer within'],
  'wrong size of vector': [
    'gave vectors of',
    'that is not one of an OpenAI stream',
    'broke off in the middle of its answer',
  ],
  'NaN in a vector': ['finite numbers', 'that is not one of an OpenAI stream', 'broke off in the middle of its answer'],
  'invalid JSON': ['did not answer with JSON', 'broke off in the middle of its answer'],
  'truncated stream': ['broke off in the middle of its answer', 'did not answer with JSON'],
  loading: ['is still loading'],
}

/** Whether a reason is possible for the fault. */
export function isReasonOf(fault: Fault, reason: string): boolean {
  return REASONS[fault].some((part) => reason.includes(part))
}

/** The lines of the two tables in the documentation. */
export function documentedLines(): string[] {
  const engines = Object.entries(PROMISED as Readonly<Record<string, Promised>>).map(([name, promised]) => {
    const { works, degraded, says, deadlineMs } = promised
    const named = degraded
      ? `\`degraded: [${degraded.map((part) => `"${part}"`).join(', ')}]\``
      : '503 `engine_unavailable`'
    return `| ${name} | ${works} | ${[named, ...(says ? [says] : [])].join('; ')} | ${deadlineMs / 1000} s |`
  })
  const faults = Object.entries(REASONS).map(
    ([fault, parts]) => `| ${fault} | ${parts.map((part) => `“${part}”`).join(', ')} |`,
  )
  return [...engines, ...faults]
}
