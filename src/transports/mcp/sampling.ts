/**
 * Answers with the caller's own model: a routed query without an answer is sent to it as a sampling request, if the
 * client supports sampling (MCP 2026-07-28, multi-round-trip requests and `sampling/createMessage`).
 * @module
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type * as z from 'zod'
import { invalidInput } from '../../errors.ts'
import { routeQuery } from '../../operations/routing/route-query.ts'
import { INSTRUCTION } from '../../routing/generate.ts'
import { EXPECTED_ANSWER_TOKENS } from '../../routing/generation-budget.ts'

type Routed = z.output<typeof routeQuery.output>

/** Key of the single request in a round. */
const ANSWER = 'answer'

/**
 * Requests the answer that a routed query still needs; null: the answer is complete, or the client doesn't support
 * sampling.
 */
export function askCallersModel(tool: string, output: object, { mcpReq }: ServerContext): InputRequiredResult | null {
  if (tool !== routeQuery.name || !capabilities(mcpReq.envelope)?.sampling) return null
  const { augmented_prompt: prompt } = output as Routed
  if (prompt === null) return null
  return inputRequired({
    inputRequests: {
      [ANSWER]: inputRequired.createMessage({
        systemPrompt: INSTRUCTION,
        messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
        maxTokens: EXPECTED_ANSWER_TOKENS,
      }),
    },
    requestState: JSON.stringify(output),
  })
}

/** The capabilities of a request's client; null: not stated, as in the 2025 protocols. */
function capabilities(envelope: Readonly<Record<string, unknown>> | undefined): ClientCapabilities | null {
  return (envelope?.[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined) ?? null
}

/**
 * The routed query of an earlier round, with the answer of the caller's model, or unchanged if the model gave none.
 * Null: this is the first round. The state is the caller's own earlier result and is sent to no one else, so it needs
 * no signature, only validation.
 * @throws CoordinatorError `invalid_input` for an invalid state
 */
export function withCallersAnswer(tool: string, { mcpReq }: ServerContext): Routed | null {
  const state = mcpReq.requestState<string>()
  if (tool !== routeQuery.name || state === undefined) return null
  const routed = readState(state)
  const reply = inputResponse(mcpReq.inputResponses, ANSWER)
  if (reply.kind !== 'sampling') return routed
  const content = [reply.result.content].flat()
  const response = content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  if (response.trim() === '') return { ...routed, degraded: [...new Set([...routed.degraded, 'remote_model'])] }
  const finish = reply.result.stopReason === 'maxTokens' ? ('length' as const) : ('stop' as const)
  const model = String(reply.result.model ?? 'unknown')
  const generation = { model, prompt_tokens: null, completion_tokens: null, finish }
  return { ...routed, response, generation, augmented_prompt: null }
}

function readState(state: string): Routed {
  try {
    return routeQuery.output.parse(JSON.parse(state)) as Routed
  } catch {
    throw invalidInput('requestState', 'This is no state that the coordinator sent.', {
      hint: 'Send it back unchanged, or call the tool again without it.',
    })
  }
}
