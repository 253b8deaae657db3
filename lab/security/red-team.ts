/**
 * The red team: strings that try to break out of their delimiters or to reach a model as a control mark. Each is stored
 * in every place of an item in every collection, and read back as in a prompt.
 * @module
 */
import { CONTROL_MARKS, RED_TEAM } from '../../test/security/attacks.ts'
import type { Coordinator } from './coordinator.ts'

type Fields = Record<string, unknown>

/** The places of items in which the strings are put. */
const PLACES: readonly (readonly [
  collection: string,
  place: string,
  fields: (topic: string, text: string) => Fields,
])[] = [
  ['codebase-context', 'body', (topic, text) => ({ ...code(topic), code_snippet: `// ${topic}\n${text}` })],
  [
    'codebase-context',
    'path',
    (topic, text) => ({ ...code(topic), file_path: `src/${text.slice(0, 200)}/${topic}.ts` }),
  ],
  [
    'codebase-context',
    'symbol',
    (topic, text) => ({ ...code(topic), symbols: [text.slice(0, 200), topic], start_line: 1 }),
  ],
  ['skills-patterns', 'title', (topic, text) => ({ skill_name: `${topic} ${text}`, description: topic })],
  ['skills-patterns', 'body', (topic, text) => ({ skill_name: topic, description: text })],
  ['error-solutions', 'title', (topic, text) => ({ error_message: `${text} ${topic}`, solution: topic })],
  ['error-solutions', 'body', (topic, text) => ({ error_message: topic, solution: text })],
  ['best-practices', 'title', (topic, text) => ({ title: `${topic} ${text}`, description: topic })],
  ['best-practices', 'body', (topic, text) => ({ title: topic, description: text })],
  ['learning-feedback', 'title', (topic, text) => ({ query: `${topic} ${text}`, correction: topic })],
  ['learning-feedback', 'body', (topic, text) => ({ query: topic, correction: text })],
  ['interaction-history', 'title', (topic, text) => ({ ...history(topic), query: `${text} ${topic}` })],
  ['interaction-history', 'body', (topic, text) => ({ ...history(topic), response: text })],
]

const code = (topic: string) => ({
  file_path: `src/${topic}.ts`,
  code_snippet: `export const ${topic} = 1`,
  language: 'typescript',
})
const history = (topic: string) => ({ query: topic, response: topic, agent_type: 'remote', model_used: 'm' })

/** The coordinator's own lines outside the delimiters. */
const OURS = /^(?:|---|\(block\)|## [\w ]+|Reference material from .*)$/
const INVISIBLE = /(?![\t\n\r])[\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/u

/** Returns the table and the faults: strings that left their delimiters, and marks that are still marks. */
export async function redTeamTable(coordinator: Coordinator): Promise<{ markdown: string; faults: string[] }> {
  const faults: string[] = []
  const lines = [
    '| collection | place | strings | shown | left the delimiters | control marks or invisible characters |',
    '|---|---|---|---|---|---|',
  ]
  for (const [collection, place, fields] of PLACES) {
    const project = `red-${collection}-${place}`
    const tally = { shown: 0, left: 0, marks: 0 }
    for (let from = 0; from < RED_TEAM.length; from += 50) {
      const items = RED_TEAM.slice(from, from + 50).map(({ text }, i) => ({
        key: `k${from + i}`,
        fields: fields(`wombat${from + i}burrow`, text),
      }))
      const stored = await coordinator.run('store_knowledge', { project, collection, items })
      const ids = (stored.results as { context_id?: string }[]).flatMap(({ context_id: id }) => id ?? [])
      for (let at = 0; at < ids.length; at += 10) {
        const input = { project, context_ids: ids.slice(at, at + 10), token_budget: 8_000 }
        const read = await coordinator.run('get_context_items', input)
        const blocks = (read.items as unknown[]).length
        const context = String(read.context)
        tally.shown += blocks
        if (leaves(context, blocks)) tally.left++
        if (CONTROL_MARKS.some((mark) => context.includes(mark)) || INVISIBLE.test(context)) tally.marks++
      }
    }
    if (tally.left + tally.marks > 0)
      faults.push(`${collection}, ${place}: ${tally.left} left, ${tally.marks} with marks`)
    if (tally.shown < RED_TEAM.length * 0.9) faults.push(`${collection}, ${place}: only ${tally.shown} shown`)
    lines.push(`| ${collection} | ${place} | ${RED_TEAM.length} | ${tally.shown} | ${tally.left} | ${tally.marks} |`)
  }
  return { markdown: lines.join('\n'), faults }
}

/** Whether a prompt contains foreign text outside its delimited blocks. */
export function leaves(prompt: string, blocks: number): boolean {
  const tags = [...prompt.matchAll(/<\s{0,20}(\/?)\s{0,20}(context[\w-]*)[^>]{0,20}>?/gi)]
  const name = tags[0]?.[2] ?? ''
  const expected = Array.from({ length: blocks }, () => [`<${name}>`, `</${name}>`]).flat()
  if (tags.length !== expected.length || tags.some(([tag], at) => tag !== expected[at])) return true
  const outside = prompt.replace(new RegExp(`<${name}>[\\s\\S]*?</${name}>`, 'g'), '(block)')
  return outside.split('\n').some((line) => !OURS.test(line))
}
