/**
 * Tools of the conformance suite that request input from the client in another round trip (2026-07-28). The 2025
 * protocols use a request to the client during a call instead, which needs sessions, and the product has none.
 */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server'
import * as z from 'zod'

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })
const NONE = z.object({})
const named = z.object({ name: z.string() })

/** State that passes through the client is sealed, so that it can't be changed on the way. */
export const STATE = createRequestStateCodec<{ round: number }>({ key: new Uint8Array(32).fill(7) })

/** Adds the tools and the prompt. */
export function addInput(server: McpServer): void {
  const tool = (name: string, run: (context: ServerContext) => unknown) =>
    server.registerTool(
      name,
      { description: `Fixture ${name}.`, inputSchema: NONE },
      async (_, context) => (await run(context)) as never,
    )
  const askName = inputRequired.elicit({ message: 'What is your name?', requestedSchema: named })
  const question = (value: string, maxTokens: number) =>
    inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: value } }], maxTokens })

  tool('test_input_required_result_elicitation', ({ mcpReq }) => {
    const answer = acceptedContent(mcpReq.inputResponses, 'user_name', named)
    return answer ? text(`Hello, ${answer.name}!`) : inputRequired({ inputRequests: { user_name: askName } })
  })
  tool('test_input_required_result_sampling', ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'capital_question')
    if (answer.kind !== 'sampling') {
      return inputRequired({ inputRequests: { capital_question: question('What is the capital of France?', 100) } })
    }
    return text(JSON.stringify(answer.result.content))
  })
  tool('test_input_required_result_list_roots', ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'client_roots')
    if (answer.kind !== 'roots') return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } })
    return text(`Roots: ${answer.roots.map(({ uri }) => uri).join(', ')}`)
  })
  const confirm = z.object({ ok: z.boolean() })
  const confirmed = (name: string) =>
    tool(name, async ({ mcpReq }) => {
      const state = mcpReq.requestState<{ round: number }>()
      const answer = acceptedContent(mcpReq.inputResponses, 'confirm', confirm)
      if (state && answer) return text('state-ok')
      return inputRequired({
        inputRequests: { confirm: inputRequired.elicit({ message: 'Please confirm', requestedSchema: confirm }) },
        requestState: await STATE.mint({ round: 1 }),
      })
    })
  confirmed('test_input_required_result_request_state')
  confirmed('test_input_required_result_tampered_state')
  tool('test_input_required_result_multiple_inputs', async ({ mcpReq }) => {
    const responses = mcpReq.inputResponses
    const name = acceptedContent(responses, 'user_name', named)
    const greeting = inputResponse(responses, 'greeting')
    const roots = inputResponse(responses, 'client_roots')
    if (name && greeting.kind === 'sampling' && roots.kind === 'roots')
      return text(`${name.name}: ${roots.roots.length} roots`)
    return inputRequired({
      inputRequests: {
        user_name: askName,
        greeting: question('Generate a greeting', 50),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await STATE.mint({ round: 1 }),
    })
  })
  const coloured = z.object({ color: z.string() })
  tool('test_input_required_result_multi_round', async ({ mcpReq }) => {
    const state = mcpReq.requestState<{ round: number }>()
    const colour = acceptedContent(mcpReq.inputResponses, 'step2', coloured)
    if (state?.round === 2 && colour) return text(`Done: ${colour.color}`)
    if (state?.round === 1 && acceptedContent(mcpReq.inputResponses, 'step1', named)) {
      return inputRequired({
        inputRequests: {
          step2: inputRequired.elicit({ message: 'Step 2: What is your favorite color?', requestedSchema: coloured }),
        },
        requestState: await STATE.mint({ round: 2 }),
      })
    }
    return inputRequired({
      inputRequests: {
        step1: inputRequired.elicit({ message: 'Step 1: What is your name?', requestedSchema: named }),
      },
      requestState: await STATE.mint({ round: 1 }),
    })
  })
  addPrompt(server)
  addCapabilities(server)
}

function addPrompt(server: McpServer): void {
  const context = z.object({ context: z.string() })
  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'Asks before it answers.' },
    ({ mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, 'user_context', context)
      if (!answer) {
        return inputRequired({
          inputRequests: {
            user_context: inputRequired.elicit({
              message: 'What context should the prompt use?',
              requestedSchema: context,
            }),
          },
        })
      }
      return {
        messages: [{ role: 'user' as const, content: { type: 'text' as const, text: `Context: ${answer.context}` } }],
      }
    },
  )
}

/** The capabilities that the client stated in this request. */
function capabilitiesOf({ mcpReq }: ServerContext): { sampling?: object; elicitation?: object } {
  const envelope = mcpReq.envelope as Record<string, unknown> | undefined
  return (envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as { sampling?: object; elicitation?: object }
}

/** Tools that depend on the client's capabilities. */
function addCapabilities(server: McpServer): void {
  const sampling = inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: 'Say hello.' } }],
    maxTokens: 20,
  })
  const elicitation = inputRequired.elicit({ message: 'What is your name?', requestedSchema: named })
  const tool = (name: string, run: (context: ServerContext) => unknown) =>
    server.registerTool(
      name,
      { description: `Fixture ${name}.`, inputSchema: NONE },
      async (_, context) => (await run(context)) as never,
    )
  // The transport detects that the client lacks the capability.
  tool('test_missing_capability', () => inputRequired({ inputRequests: { sampling } }))
  tool('test_input_required_result_capabilities', (context) => {
    const can = capabilitiesOf(context)
    const inputRequests = { ...(can.sampling && { sampling }), ...(can.elicitation && { elicitation }) }
    return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : text('There is nobody to ask.')
  })
  tool('test_streaming_elicitation', () => inputRequired({ inputRequests: { elicitation } }))
  tool('test_logging_tool', async ({ mcpReq }) => {
    await mcpReq.log('info', 'A line of the log.')
    return text('Done.')
  })
}
