/**
 * Selects the operations that a connection lists as tools, and describes them to clients.
 * @module
 */
import type { Tool } from '@modelcontextprotocol/server'
import { invalidInput } from '../../errors.ts'
import { type Annotations, GROUPS, type Group, type Operation } from '../../operations/operation.ts'
import { inputSchemaOf, type JsonSchema, type ObjectSchema } from '../json-schema.ts'

/**
 * The tools that every connection lists, each with the fields that a model has a reason to fill in. Every client pays
 * for these definitions in each of its requests, so the set is small. Other fields and tools can be called anyway.
 */
export const DEFAULT_TOOLS: Readonly<Record<string, readonly string[]>> = {
  augment_query: ['query', 'agent_type', 'project', 'conversation_id', 'token_budget', 'collections'],
  track_interaction: [
    'query',
    'response',
    'agent_type',
    'model_used',
    'context_ids',
    'retrieval_id',
    'decision_id',
    'conversation_id',
    'tokens_used',
    'tags',
    'project',
  ],
  update_outcome: ['interaction_id', 'outcome', 'user_feedback'],
  hybrid_search: ['query', 'collections', 'limit', 'keyword_limit', 'score_threshold', 'filter', 'project'],
  route_query: ['query', 'mode', 'prefer_local', 'context', 'limit', 'generate_response', 'project'],
  learning_feedback: ['query', 'correction', 'original_response', 'interaction_id', 'rating', 'tags', 'project'],
  generate_training_data: ['format', 'outcome', 'min_value_score', 'since', 'tags', 'limit', 'project'],
  search_context: ['query', 'collection', 'limit', 'project'],
  store_knowledge: ['collection', 'items', 'project'],
}

/** Groups whose tools a connection lists in addition to the default ones, each with all its fields. */
export type ToolGroups = ReadonlySet<Group>

/**
 * Parses a list of groups, such as `knowledge,experiments`. `all` means every group, an empty list only the default
 * set.
 * @param field the parameter or setting with the list, for the error
 * @throws CoordinatorError `invalid_input` naming the unknown group
 */
export function toolGroups(names: readonly string[], field: string): ToolGroups {
  const known = Object.keys(GROUPS) as Group[]
  const wanted = names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '' && name !== 'default')
  if (wanted.includes('all')) return new Set(known)
  const unknown = wanted.find((name) => !known.includes(name as Group))
  if (unknown === undefined) return new Set(wanted as Group[])
  throw invalidInput(field, `There is no tool group ${JSON.stringify(unknown.slice(0, 60))}.`, {
    hint: `Use all, or some of: ${known.join(', ')}.`,
  })
}

/** The operations that can be called as tools. The others are available only in REST, see `offeredTo`. */
export function callable(operations: readonly Operation[]): readonly Operation[] {
  return operations.filter(({ offeredTo }) => offeredTo !== 'rest')
}

/**
 * The tools that a connection lists.
 * @param bound whether the connection is bound to one project; then its tools have no field `project`
 */
export function toolsOf(operations: readonly Operation[], groups: ToolGroups, bound = false): Tool[] {
  return callable(operations).flatMap((operation) => {
    if (groups.has(operation.group)) return [toolOf(operation, inputSchemaOf(operation), bound)]
    const fields = DEFAULT_TOOLS[operation.name]
    return fields ? [toolOf(operation, briefSchema(inputSchemaOf(operation), fields), bound)] : []
  })
}

/**
 * Converts an operation to a tool, without an output schema: the protocol doesn't require one for structured content,
 * results are self-describing, and output schemas are three times as long as everything else. OpenAPI contains them.
 */
function toolOf({ name, title, description, annotations }: Operation, schema: ObjectSchema, bound: boolean): Tool {
  return {
    name,
    title,
    description,
    inputSchema: (bound ? withoutField(schema, 'project') : schema) as Tool['inputSchema'],
    annotations: hintsOf(annotations),
  }
}

/** The hints that differ from the protocol's defaults (ToolAnnotations). */
function hintsOf({ readOnlyHint, destructiveHint, idempotentHint, openWorldHint }: Annotations): Tool['annotations'] {
  return {
    readOnlyHint,
    ...(!readOnlyHint && destructiveHint === false && { destructiveHint }),
    ...(!readOnlyHint && idempotentHint && { idempotentHint }),
    ...(openWorldHint === false && { openWorldHint }),
  }
}

function withoutField({ properties, required, ...rest }: ObjectSchema, field: string): ObjectSchema {
  const { [field]: _, ...others } = properties
  return { ...rest, properties: others, ...(required && { required: required.filter((name) => name !== field) }) }
}

/** The parts of a schema that a model needs to fill it in. Lengths and patterns are checked on calls. */
const TOLD = ['type', 'description', 'enum', 'minimum'] as const
/** Greater maxima only reject nonsense and are not listed. */
const MAX_TOLD = 1000

/**
 * Some fields of a schema, without constraints that only a validator needs. Additional fields are allowed, because the
 * operation accepts more.
 */
function briefSchema({ properties, required = [] }: ObjectSchema, fields: readonly string[]): ObjectSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(
      fields.flatMap((name) => (properties[name] ? [[name, told(properties[name])]] : [])),
    ),
    required: required.filter((name) => fields.includes(name)),
  }
}

function told(schema: JsonSchema): JsonSchema {
  const brief: JsonSchema = {}
  for (const name of TOLD) if (schema[name] !== undefined) brief[name] = schema[name]
  if (typeof schema.maximum === 'number' && schema.maximum <= MAX_TOLD) brief.maximum = schema.maximum
  if (schema.enum || typeof schema.default === 'number' || typeof schema.default === 'boolean') {
    if (schema.default !== undefined) brief.default = schema.default
  }
  if (schema.items) {
    const { description: _, ...items } = told(schema.items as JsonSchema)
    brief.items = items
  }
  return brief
}
