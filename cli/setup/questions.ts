/**
 * Questions that a project should be able to answer, generated from its content.
 * @module
 */
import type { HttpClient } from '../shared/http.ts'

interface Item {
  readonly path: string | null
  readonly fields: Readonly<Record<string, unknown>>
}

/** Number of items that are examined. */
const LOOKED_AT = 100
/** Maximum number of questions. */
const QUESTIONS = 5

/**
 * Questions about definitions in the project, documented ones first.
 * @throws HttpError, UnreachableError
 */
export async function testQuestions(http: HttpClient, project: string): Promise<string[]> {
  const { items } = await http.get<{ items: Item[] }>(
    `/knowledge/items/codebase-context?project=${encodeURIComponent(project)}&limit=${LOOKED_AT}`,
  )
  return questionsAbout(items)
}

/** The pure part of {@link testQuestions}. */
export function questionsAbout(items: readonly Item[]): string[] {
  const named = items.flatMap(({ path, fields }) => {
    const name = firstText(fields, ['symbols'])
    const description = firstText(fields, ['purpose'])
    const words = wordsOf(name)
    if (words.length === 0 && description === '') return []
    const isTest = /(?:^|[/._-])(?:tests?|spec|fixtures?)(?:[/._-]|$)/i.test(path ?? '')
    const rank = (description !== '' ? 0 : 2) + (isTest ? 4 : 0) + (words.length > 1 ? 0 : 1)
    return [{ rank, question: questionOf(name, description, path) }]
  })
  const ranked = named.toSorted((a, b) => a.rank - b.rank).map(({ question }) => question)
  return [...new Set(ranked)].slice(0, QUESTIONS)
}

function questionOf(name: string, description: string, path: string | null): string {
  const sentence =
    description
      .split(/(?<=[.!?])\s|\n/)[0]
      ?.trim()
      .replace(/\.$/, '') ?? ''
  if (name !== '' && sentence.length > 10 && sentence.length < 120) return `What does ${name} do? ${sentence}.`
  if (name !== '') return `What does ${name} do${path ? ` in ${path.split('/').at(-1)}` : ''}?`
  return `${sentence.slice(0, 120)}?`
}

function firstText(fields: Readonly<Record<string, unknown>>, names: readonly string[]): string {
  for (const name of names) {
    const entry = fields[name]
    const value: unknown = Array.isArray(entry) ? entry[0] : entry
    if (typeof value === 'string' && value.trim() !== '') return value.trim().slice(0, 200)
  }
  return ''
}

/** The words in a name: `parseSyntaxTree` has three. */
function wordsOf(name: string): string[] {
  return name.match(/[A-Z]?[a-z]{2,}|[A-Z]{2,}/g) ?? []
}
