/**
 * Asks a coordinator a question like an agent, and shows the answer to the user.
 * @module
 */
import type { HttpClient } from './http.ts'
import { style } from './terminal.ts'

/** The used part of an augmentation. */
export interface Augmentation {
  readonly augmented_prompt: string
  readonly original_query: string
  readonly context_ids: readonly string[]
  readonly contexts?: readonly { readonly title: string; readonly probability: number }[]
  readonly answer_probability?: number
  readonly relevance_threshold?: number
  readonly token_count?: number
  readonly absence_reason?: string | null
  readonly suggestions?: readonly string[]
}

/** @throws HttpError, UnreachableError */
export function askQuestion(http: HttpClient, project: string, query: string): Promise<Augmentation> {
  return http.post<Augmentation>('/augment_query', { project, query })
}

/**
 * The passages, or the reason why there are none, as text for the user.
 * @param max maximum number of passages
 */
export function describeAnswer(answer: Augmentation, project: string, max = Number.POSITIVE_INFINITY): string {
  const passages = passagesOf(answer)
    .split(/^(?=\[\d+\] )/m)
    .slice(0, max)
    .join('')
    .trim()
  if (answer.context_ids.length === 0 || passages === '') return describeSilence(answer, project)
  const count = answer.context_ids.length
  const tokens = answer.token_count === undefined ? '' : `, ${answer.token_count} tokens`
  const head = `${style('green', '✓', process.stdout)} ${count} ${count === 1 ? 'passage' : 'passages'}${tokens}:`
  return `${head}\n\n${passages}\n`
}

/** The text that an agent gets below its question, without the introductory sentence. */
function passagesOf({ augmented_prompt: prompt, original_query: query }: Augmentation): string {
  const below = prompt.startsWith(query) ? prompt.slice(query.length) : prompt
  const first = below.search(/^\[\d+\] /m)
  return first < 0
    ? below.trim()
    : below
        .slice(first)
        .replaceAll(/^<\/?context(?:-\w+)?>\n?/gm, '')
        .trim()
}

function describeSilence(answer: Augmentation, project: string): string {
  const percent = (share: number) => `${Math.round(share * 100)} %`
  const { answer_probability: best, relevance_threshold: bar, absence_reason: reason } = answer
  const lines = [
    `${style('yellow', '○', process.stdout)} No context: ${REASONS[reason ?? ''] ?? 'nothing is relevant enough'}.`,
  ]
  if (reason !== 'control_group' && best !== undefined && bar !== undefined && best > 0)
    lines.push(
      `The best match answers it with a probability of ${percent(best)}; ${percent(bar)} is needed (RELEVANCE_THRESHOLD).`,
    )
  if (best === 0)
    lines.push(`Nothing was found in project ${project}. Is it the right one (--project), and is something ingested?`)
  if (answer.suggestions?.length) lines.push(`Nearest: ${answer.suggestions.join('; ')}`)
  return `${lines.join('\n')}\n`
}

const REASONS: Readonly<Record<string, string>> = {
  already_sent: 'all of it was sent before in this conversation',
  budget: 'nothing fits the token budget',
  control_group: 'it was left out for the control group (CONTROL_GROUP_SHARE)',
}
