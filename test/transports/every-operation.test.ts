import { countTokens } from 'gpt-tokenizer/encoding/cl100k_base'
import { beforeAll, describe, expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { CLIENTS, connect, type TestClient } from './mcp-clients.ts'
import { type Prepared, prepare, SAMPLES } from './samples.ts'
import { callRest, fetchWorker } from './worker-client.ts'

/** Each kind of client has its own project, prepared identically. */
interface Caller {
  readonly name: string
  readonly prepared: Prepared
  readonly client: TestClient | null
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const TIMES = /^(?:at|since|run_after|latency_ms|.*_at|.*_ms)$/
/** The context contains item ids, whose number of tokens can differ. */
const TOKENS = /^(?:tokens|added|token_count|context_added|context_saved)$/

/**
 * Removes everything that must differ between two projects: their names, ids, times, and the order that depends on ids.
 */
function normalise(value: unknown, project: string, key = ''): unknown {
  if (typeof value === 'number' && TIMES.test(key)) return 'a time'
  if (typeof value === 'number' && TOKENS.test(key)) return value === 0 ? 'no tokens' : 'some tokens'
  if (typeof value === 'object' && value !== null && 'value' in value && TOKENS.test(key)) {
    return { ...value, value: normalise(value.value, project, key) }
  }
  if (typeof value === 'string') {
    if (key === 'next_cursor') return 'a cursor'
    // Prometheus figures cover all projects, and time passes between two calls.
    if (key === 'text') return value.replace(/ \S+$/gm, ' a figure')
    // The settings of an export contain the project, and the path contains their hash.
    if (key === 'dataset_path') return 'a path'
    // The delimiters of context are random for every prompt.
    const text = value.replaceAll(/context-[a-z0-9]{4}>/g, 'context>')
    return text.replaceAll(project, 'the-project').replaceAll(UUID, 'an-id')
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => normalise(item, project))
    return key === 'items' ? items.sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))) : items
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, normalise(field, project, name)]))
}

/**
 * A brief result reports the token cost of its JSON. Long runs without a space are counted in pieces, so the figure may
 * be slightly higher.
 */
function expectTokens(told: unknown, output: object): void {
  const counted = countTokens(JSON.stringify(output))
  expect(Number(told)).toBeGreaterThanOrEqual(counted - 2)
  expect(Number(told)).toBeLessThanOrEqual(counted * 1.05 + 2)
}

describe('every operation', () => {
  const callers: Caller[] = []

  beforeAll(async () => {
    callers.push({ name: 'REST', prepared: await prepare('surface-0'), client: null })
    for (const [at, name] of CLIENTS.entries()) {
      const client = await connect(name, fetchWorker)
      await client.listTools()
      callers.push({ name, prepared: await prepare(`surface-${at + 1}`), client })
    }
  })

  test('has a sample, and every sample an operation', () => {
    expect(Object.keys(SAMPLES).sort()).toEqual(OPERATIONS.map(({ name }) => name).sort())
  })

  test.each(OPERATIONS.map((operation) => [operation.name, operation] as const))(
    '%s gives all clients the same answer',
    async (name, operation) => {
      const sample = SAMPLES[name]
      if (!sample) throw new Error(`There is no sample for ${name}.`)
      const answers: Record<string, unknown> = {}
      for (const { name: caller, prepared, client } of callers) {
        if (client !== null && operation.offeredTo === 'rest') continue
        const input = sample(prepared)
        if (client === null) {
          const output = await callRest(operation, input)
          expect(operation.output.parse(output), 'REST answers what the schema says, and nothing else').toEqual(output)
          answers[caller] = normalise((await operation.brief?.(output)) ?? output, prepared.project)
        } else {
          const result = await client.call(name, input)
          expect(result.isError, `${caller}: ${result.content[0]?.text}`).toBeFalsy()
          const output = result.structuredContent as Record<string, unknown>
          const text = JSON.parse(result.content.at(-1)?.text ?? '')
          expect(
            typeof output.augmented_prompt === 'string' ? { ...text, augmented_prompt: result.content[0]?.text } : text,
          ).toEqual(output)
          const { result_tokens: told, ...brief } = output
          if (operation.brief) expectTokens(told, output)
          answers[caller] = normalise(operation.brief ? brief : output, prepared.project)
        }
      }
      const [first, ...others] = Object.entries(answers)
      for (const [caller, answer] of others) expect(answer, `${caller} answers as ${first?.[0]}`).toEqual(first?.[1])
    },
  )

  test.each(CLIENTS)('resources are read through the operations: %s', async (name) => {
    const caller = callers.find((known) => known.name === name)
    if (!caller?.client) throw new Error('not connected')
    const { client, prepared } = caller
    const read = async (uri: string) => JSON.parse((await client.readResource(uri)).text)
    expect((await read('knowledge://collections')).collections).toHaveLength(6)
    expect((await read(`knowledge://${prepared.project}/best-practices`)).items).toHaveLength(1)
    expect((await read(`knowledge://${prepared.project}/best-practices/${prepared.item}`)).key).toBe('signing-keys')
    await expect(
      client.readResource(`knowledge://${prepared.project}/best-practices/${prepared.spare}`),
    ).rejects.toMatchObject({
      code: -32602,
    })
    await expect(client.readResource(`knowledge://${prepared.project}/no-such`)).rejects.toMatchObject({ code: -32602 })
  })
})
