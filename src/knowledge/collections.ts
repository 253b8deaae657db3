/**
 * The collections: the fields of each kind of item, and which of them are searched.
 * @module
 */
import * as z from 'zod'
import { FILE_KINDS } from '../text/file-kind.ts'
import { itemText, line } from './text-fields.ts'

const strings = (max = 50) => z.array(line(2000)).max(max)
const rate = z.number().min(0).max(1)
const count = z.number().int().min(0)
const extractedBy = line(200).optional().describe('How it was learnt: `rules`, or the model that wrote it.')

const codebaseContext = z.strictObject({
  file_path: line(1000).optional().describe('Path within the code base.'),
  code_snippet: itemText.describe('The code or prose itself.'),
  language: line(60).optional(),
  kind: z.enum(FILE_KINDS).optional().describe('What the file is for.'),
  framework: line(100).optional(),
  purpose: line(1000).optional().describe('What it is for, in a sentence.'),
  symbols: strings(200).optional().describe('Names that the snippet defines.'),
  start_line: count.optional(),
  end_line: count.optional(),
  source: line(200).optional().describe('The repository that it was ingested from.'),
})

const skillsPatterns = z.strictObject({
  skill_name: line(300),
  description: itemText,
  usage_pattern: itemText.optional(),
  success_examples: strings().optional(),
  failure_examples: strings().optional(),
  prerequisites: strings().optional(),
  related_skills: strings().optional(),
  value_score: rate.optional(),
  extracted_by: extractedBy,
})

const errorSolutions = z.strictObject({
  error_message: itemText,
  error_type: line(200).optional(),
  context: itemText.optional(),
  solution: itemText,
  solution_verified: z.boolean().optional(),
  success_count: count.optional(),
  failure_count: count.optional(),
  confidence_score: rate.optional(),
  extracted_by: extractedBy,
})

const interactionHistory = z.strictObject({
  query: itemText,
  response: itemText.optional(),
  agent_type: z.enum(['local', 'remote']).optional(),
  model_used: line(200).optional(),
  conversation_id: line(200).optional().describe('The conversation that it is a turn of.'),
  turn: count.optional().describe('Its place there; neighbours differ by one.'),
  context_provided: strings(200).optional().describe('Context ids that were shown.'),
  outcome: z.enum(['success', 'partial', 'failure']).optional(),
  user_feedback: z.number().int().min(-1).max(1).optional(),
  tokens_used: count.optional(),
  latency_ms: z.number().min(0).optional(),
  value_score: rate.optional(),
  tags: strings().optional(),
  created_at: z.number().min(0).optional().describe('When it happened, in milliseconds since 1970.'),
})

const bestPractices = z.strictObject({
  category: line(200).optional(),
  title: line(1000).optional(),
  description: itemText,
  examples: strings().optional(),
  anti_patterns: strings().optional(),
  references: strings().optional(),
  endorsement_count: count.optional(),
})

const learningFeedback = z.strictObject({
  query: itemText,
  original_response: itemText.optional(),
  correction: itemText,
  rating: z.number().min(-1).max(1).optional(),
  tags: strings().optional(),
  interaction_id: line(100).optional(),
})

/** How a collection is stored and presented. */
export interface Collection {
  readonly description: string
  readonly schema: z.ZodObject
  /** Fields that describe the item's subject. Matches in them have more weight. */
  readonly titleFields: readonly string[]
  /** Fields with the item's content. Passages are taken from them, in this order. */
  readonly bodyFields: readonly string[]
  /** Heading above these items in an augmented prompt. */
  readonly heading: string
}

const collection = (schema: z.ZodObject, rest: Omit<Collection, 'schema'>): Collection => ({ schema, ...rest })

/** The six collections, in the order of their headings in an augmented prompt. */
export const COLLECTIONS = {
  'codebase-context': collection(codebaseContext, {
    description: "Pieces of the team's code and documents.",
    titleFields: ['file_path', 'symbols', 'purpose'],
    bodyFields: ['code_snippet'],
    heading: 'Relevant code',
  }),
  'skills-patterns': collection(skillsPatterns, {
    description: 'Approaches that worked, in reusable form.',
    titleFields: ['skill_name'],
    bodyFields: [
      'description',
      'usage_pattern',
      'prerequisites',
      'success_examples',
      'failure_examples',
      'related_skills',
    ],
    heading: 'Skills and patterns',
  }),
  'error-solutions': collection(errorSolutions, {
    description: 'Errors and what solved them.',
    titleFields: ['error_message', 'error_type'],
    bodyFields: ['solution', 'context'],
    heading: 'Error solutions',
  }),
  'best-practices': collection(bestPractices, {
    description: "The team's rules and recommendations.",
    titleFields: ['title', 'category'],
    bodyFields: ['description', 'examples', 'anti_patterns', 'references'],
    heading: 'Best practices',
  }),
  'learning-feedback': collection(learningFeedback, {
    description: 'Corrections that people gave to earlier answers.',
    titleFields: ['query'],
    bodyFields: ['correction'],
    heading: 'Corrections to earlier answers',
  }),
  'interaction-history': collection(interactionHistory, {
    description: 'What was asked and answered before.',
    titleFields: [],
    bodyFields: ['query', 'response'],
    heading: 'Earlier interactions',
  }),
} as const satisfies Record<string, Collection>

export type CollectionName = keyof typeof COLLECTIONS

export const COLLECTION_NAMES = Object.keys(COLLECTIONS) as [CollectionName, ...CollectionName[]]

/** The collections searched by default: knowledge and corrections, without the raw history. */
export const KNOWLEDGE_COLLECTIONS: readonly CollectionName[] = COLLECTION_NAMES.filter(
  (name) => name !== 'interaction-history',
)

/** Context from the external list. It is returned, tracked and credited like other context, but not stored here. */
export const EXTERNAL = 'aidb'

/** The source of context. */
export type ContextSource = CollectionName | typeof EXTERNAL

export const CONTEXT_SOURCES = [...COLLECTION_NAMES, EXTERNAL] as const

/** Heading for context from a source in an augmented prompt. */
export function headingOf(source: ContextSource): string {
  return source === EXTERNAL ? 'External knowledge' : COLLECTIONS[source].heading
}

/** Fields that are numeric in some collection. Filters can use ranges for them. */
export const NUMBER_FIELDS: readonly string[] = [
  ...new Set(
    Object.values(COLLECTIONS).flatMap(({ schema }) =>
      Object.entries(schema.shape)
        .filter(([, field]) => (field instanceof z.ZodOptional ? field.unwrap() : field) instanceof z.ZodNumber)
        .map(([name]) => name),
    ),
  ),
]

/**
 * The name of an item in every answer. It contains the collection, so that callers don't have to search for the item.
 */
export type ContextId = `${ContextSource}/${string}`

/** Joins collection and item id to a context id. */
export function contextId(name: ContextSource, id: string): ContextId {
  return `${name}/${id}`
}

/** Splits a context id. Returns null if its source is unknown. */
export function parseContextId(text: string): { collection: ContextSource; id: string } | null {
  const slash = text.indexOf('/')
  const collection = CONTEXT_SOURCES.find((name) => name === text.slice(0, slash))
  return collection === undefined ? null : { collection, id: text.slice(slash + 1) }
}

/** Whether context comes from one of our collections. */
export function isCollection(source: ContextSource): source is CollectionName {
  return source !== EXTERNAL
}
