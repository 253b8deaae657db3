import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, test } from 'vitest'
import { CoordinatorError } from '../../src/errors.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import { GROUPS } from '../../src/operations/operation.ts'
import { inputSchemaOf, type JsonSchema } from '../../src/transports/json-schema.ts'
import { callable, DEFAULT_TOOLS, toolGroups, toolsOf } from '../../src/transports/mcp/tools.ts'

const tokens = (value: unknown) => countTokens(JSON.stringify(value))
const setOf = (...names: string[]) => toolsOf(OPERATIONS, toolGroups(names, 'tools'))

/** Tools that users of hybrid coordinators know, and those needed for the main loop. */
const EXPECTED = [
  'augment_query',
  'track_interaction',
  'update_outcome',
  'hybrid_search',
  'route_query',
  'learning_feedback',
  'generate_training_data',
  'search_context',
  'store_knowledge',
]

/** A change of a tool affects every agent that uses it: accept it with `npx vitest run -u tool-sets`. */
test.each(['default', ...Object.keys(GROUPS), 'all'])('the names and tokens of the set %s are pinned', async (set) => {
  const tools = setOf(set)
  const pinned = { tools: tools.map(({ name }) => name), tokens: tokens({ tools }) }
  await expect(`${JSON.stringify(pinned, null, 2)}\n`).toMatchFileSnapshot(`./tool-sets/${set}.json`)
})

test('the definitions of all tools match tools.json', async () => {
  await expect(`${JSON.stringify(setOf('all'), null, 2)}\n`).toMatchFileSnapshot('./tools.json')
})

describe('the default set', () => {
  const tools = setOf()

  test('has the tools of the main loop, and no others', () => {
    expect(tools.map(({ name }) => name)).toEqual(EXPECTED)
    expect(Object.keys(DEFAULT_TOOLS).sort()).toEqual([...EXPECTED].sort())
  })

  test('costs at most 2,500 tokens, and less on a connection with a project', () => {
    expect(tokens({ tools })).toBeLessThanOrEqual(2500)
    const bound = toolsOf(OPERATIONS, toolGroups([], 'tools'), true)
    expect(tokens({ tools: bound })).toBeLessThan(tokens({ tools }))
    for (const tool of bound) expect(tool.inputSchema.properties).not.toHaveProperty('project')
  })

  test.each(tools.map((tool) => [tool.name, tool] as const))(
    '%s has fields of its operation, including all required ones',
    (name, tool) => {
      const operation = OPERATIONS.find((known) => known.name === name)
      if (!operation) throw new Error(`There is no operation ${name}.`)
      const whole = inputSchemaOf(operation)
      expect(Object.keys(whole.properties)).toEqual(
        expect.arrayContaining(Object.keys(tool.inputSchema.properties ?? {})),
      )
      expect(tool.inputSchema.required ?? []).toEqual(whole.required ?? [])
    },
  )
})

test('a group adds its tools, each with all of its fields', () => {
  const names = setOf('knowledge').map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining([...EXPECTED, 'list_knowledge', 'ingest_documents']))
  expect(names).not.toContain('list_jobs')
  const search = setOf('context').find(({ name }) => name === 'hybrid_search')
  expect(search?.inputSchema.properties).toHaveProperty('offset')
  expect(setOf('all').map(({ name }) => name)).toEqual(callable(OPERATIONS).map(({ name }) => name))
})

test('an unknown group is rejected, and the error lists the groups', () => {
  expect(() => toolGroups(['knowledge', 'magic'], 'tools')).toThrow(CoordinatorError)
  try {
    toolGroups(['magic'], 'MCP_TOOLS')
  } catch (thrown) {
    expect((thrown as CoordinatorError).toJSON()).toMatchObject({
      field: 'MCP_TOOLS',
      hint: expect.stringContaining('training-data'),
    })
  }
})

/** Every described or nested field of a schema, with its path. */
function* fieldsOf(schema: JsonSchema, at: string): Generator<[string, JsonSchema]> {
  for (const [name, field] of Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>)) {
    yield [`${at}.${name}`, field]
    yield* fieldsOf(field, `${at}.${name}`)
  }
  if (schema.items) yield* fieldsOf(schema.items as JsonSchema, `${at}[]`)
}

/** Maximum length of the description of a tool or field, in characters. */
const MAX_DESCRIPTION = 300

describe.each(callable(OPERATIONS).map((operation) => [operation.name, operation] as const))(
  '%s',
  (name, operation) => {
    test('has a name, a title and a short description', () => {
      expect(name).toMatch(/^[a-z][a-z_]{2,63}$/)
      expect(operation.title).toBeTruthy()
      expect(operation.description.length).toBeGreaterThan(20)
      expect(operation.description.length).toBeLessThanOrEqual(MAX_DESCRIPTION)
      expect(operation.annotations).toMatchObject({ readOnlyHint: expect.any(Boolean) })
    })

    test('describes the content of every field', () => {
      for (const [field, schema] of fieldsOf(inputSchemaOf(operation), name)) {
        expect(schema.description, field).toMatch(/^\S.{5,}/s)
        expect(String(schema.description).length, field).toBeLessThanOrEqual(MAX_DESCRIPTION)
      }
    })
  },
)
