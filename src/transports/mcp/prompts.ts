/**
 * MCP prompts: the start and the end of the main loop, for people who run them manually.
 * @module
 */
import { type GetPromptResult, type Prompt, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server'
import type { RunOperation } from './resources.ts'

const ANSWER = 'answer_with_context'
const RECORD = 'record_outcome'

/** The prompts that clients list. */
export const PROMPTS: Prompt[] = [
  {
    name: ANSWER,
    title: "Answer with the team's knowledge",
    description:
      "Adds the passages of the team's knowledge that a question needs, and asks for an answer that is tracked.",
    arguments: [
      { name: 'query', description: 'What is to be answered or done.', required: true },
      { name: 'project', description: 'Project whose knowledge is used; "default" when left out.' },
    ],
  },
  {
    name: RECORD,
    title: 'Record the outcome of an answer',
    description: 'Asks for the outcome of a tracked interaction and records it.',
    arguments: [{ name: 'interaction_id', description: 'From track_interaction.', required: true }],
  },
]

/**
 * Fills in a prompt.
 * @throws ProtocolError for an unknown prompt or a missing argument
 */
export async function getPrompt(
  name: string,
  given: Readonly<Record<string, string>>,
  run: RunOperation,
): Promise<GetPromptResult> {
  const prompt = PROMPTS.find((known) => known.name === name)
  if (!prompt) throw invalid(`Unknown prompt: ${JSON.stringify(name.slice(0, 100))}. prompts/list names all prompts.`)
  for (const { name: argument, required } of prompt.arguments ?? []) {
    if (required && !given[argument]) throw invalid(`The argument ${argument} of the prompt ${name} is missing.`)
  }
  return {
    description: prompt.description,
    messages: [
      { role: 'user', content: { type: 'text', text: name === ANSWER ? await answer(given, run) : record(given) } },
    ],
  }
}

async function answer({ query, project }: Readonly<Record<string, string>>, run: RunOperation): Promise<string> {
  const input = { query, ...(project && { project }) }
  const output = (await run('augment_query', input)) as { augmented_prompt: string; context_ids: string[] }
  return [
    output.augmented_prompt,
    '---',
    `When you have answered, call track_interaction with the query, your response, context_ids ${JSON.stringify(output.context_ids)}` +
      `${project ? `, project ${JSON.stringify(project)}` : ''}, and tell the interaction_id.`,
  ].join('\n\n')
}

function record({ interaction_id: id }: Readonly<Record<string, string>>): string {
  return (
    `Find out the outcome of the interaction ${JSON.stringify(id)}: did the answer solve the task (success), in part (partial), or not ` +
    '(failure)? Judge by what happened since, such as tests, errors and what the person said; ask the person when that does not ' +
    'tell. Then call update_outcome with this interaction_id, the outcome, and user_feedback (1 liked, 0 unknown, -1 disliked). ' +
    'When the person corrected the answer, also call learning_feedback with the query and the correction.'
  )
}

function invalid(message: string): ProtocolError {
  return new ProtocolError(ProtocolErrorCode.InvalidParams, message)
}
