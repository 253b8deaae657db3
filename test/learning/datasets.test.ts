import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { newId } from '../../src/ids.ts'
import { companionKeys } from '../../src/learning/datasets/datasheet.ts'
import { DATASET_FORMATS, formatExample } from '../../src/learning/datasets/formats.ts'
import { PromptGroups } from '../../src/learning/datasets/groups.ts'
import { redact } from '../../src/learning/datasets/redact.ts'
import { HashingSink, MultipartSink, PART_BYTES } from '../../src/learning/datasets/sink.ts'
import { checkDataset } from '../../src/operations/check-dataset.ts'
import { deleteDataset } from '../../src/operations/delete-dataset.ts'
import { generateTrainingData } from '../../src/operations/generate-training-data.ts'
import { learningFeedback } from '../../src/operations/learning-feedback.ts'
import { listDatasets } from '../../src/operations/list-datasets.ts'
import { updateOutcome } from '../../src/operations/update-outcome.ts'
import { bindings, call, freshProject, type TestServices, testServices } from './support.ts'

interface Made {
  dataset_id: string
  dataset_path: string
  rows: number
  bytes: number
  sha256: string
  status: string
  skipped: Record<string, number>
  sheet: Record<string, unknown>
}

/** Stores scored interactions straight into the table. */
async function seed(
  project: string,
  rows: { query?: string; response?: string; outcome?: string; score?: number | null; feedback?: number | null }[],
) {
  const ids = rows.map(() => newId())
  for (let from = 0; from < rows.length; from += 50) {
    await bindings.DB.batch(
      rows.slice(from, from + 50).map((row, i) =>
        bindings.DB.prepare(
          `INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, outcome,
             user_feedback, value_score, revision, created_at, updated_at)
           VALUES (?, ?, ?, ?, 'remote', 'm', 0, 0, '[]', ?, ?, ?, 1, 0, 0)`,
        ).bind(
          ids[from + i],
          project,
          row.query ?? `query ${from + i}`,
          row.response ?? `response ${from + i}`,
          row.outcome ?? 'success',
          row.feedback ?? null,
          row.score === undefined ? 0.9 : row.score,
        ),
      ),
    )
  }
  return ids
}

const generate = (services: TestServices, project: string, input: object = {}) =>
  call<Made>(generateTrainingData, services, { project, ...input })

async function linesOf(key: string): Promise<Record<string, unknown>[]> {
  const text = (await (await bindings.DATASETS.get(key))?.text()) ?? ''
  if (text !== '') expect(text.endsWith('\n')).toBe(true)
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

async function digest(bytes: BufferSource): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

describe('generate_training_data', () => {
  it('takes what succeeded and scored high, once, and counts the rest by reason', async () => {
    const services = testServices()
    const project = freshProject()
    await seed(project, [
      { query: 'Q1', response: 'A1' },
      { query: 'q1 ', response: 'a1' },
      { query: 'Q2', response: 'A2', outcome: 'failure' },
      { query: 'Q3', response: 'A3', score: 0.69 },
      { query: 'Q4', response: 'A4', score: null },
      { query: 'Q5', response: 'A5', feedback: -1 },
      { query: 'Q6', response: 'A6', score: 0.7 },
    ])
    const made = await generate(services, project)
    expect(made).toMatchObject({ rows: 2, status: 'created' })
    expect(made.skipped).toEqual({
      duplicate: 1,
      other_outcome: 1,
      low_value: 1,
      not_scored_yet: 1,
      negative_feedback: 1,
    })
    const lines = await linesOf(made.dataset_path)
    expect(
      lines.map((line) =>
        (line.messages as { role: string; content: string }[]).map(({ content }) => content).slice(1),
      ),
    ).toEqual([
      ['Q1', 'A1'],
      ['Q6', 'A6'],
    ])
    const stored = await (await bindings.DATASETS.get(made.dataset_path))?.arrayBuffer()
    expect(await digest(stored ?? new ArrayBuffer(0))).toBe(made.sha256)
    expect(made.dataset_path).toContain(made.sha256)
    expect(made.dataset_path.startsWith(`datasets/${project}/`)).toBe(true)
  })

  it('gives the same dataset for the same data and settings, another for other ones', async () => {
    const services = testServices()
    const project = freshProject()
    await seed(project, [{}, {}, {}])
    const first = await generate(services, project)
    const again = await generate(services, project)
    expect(again).toEqual({ ...first, status: 'unchanged' })
    const limited = await generate(services, project, { limit: 2 })
    expect(limited).toMatchObject({ rows: 2, status: 'created' })
    expect(limited.dataset_id).not.toBe(first.dataset_id)
    const listed = await call<{ datasets: Made[] }>(listDatasets, services, { project })
    expect(listed.datasets.map((dataset) => dataset.dataset_id)).toEqual([limited.dataset_id, first.dataset_id])
  })

  it('leaves a row out again when its outcome turns', async () => {
    const services = testServices()
    const project = freshProject()
    const [id] = await seed(project, [{}, {}])
    expect((await generate(services, project)).rows).toBe(2)
    await call(updateOutcome, services, { interaction_id: id, outcome: 'failure' })
    expect(await generate(services, project)).toMatchObject({ rows: 1, skipped: { other_outcome: 1 } })
  })

  it('puts the correction in the place of what it corrects, and makes pairs of both', async () => {
    const services = testServices()
    const project = freshProject()
    const [id] = await seed(project, [{ query: 'Q', response: 'wrong' }])
    await call(learningFeedback, services, { project, interaction_id: id, query: 'Q', correction: 'right' })
    const chat = await generate(services, project)
    expect(chat).toMatchObject({ rows: 1, skipped: { corrected: 1 } })
    expect(JSON.stringify(await linesOf(chat.dataset_path))).toContain('right')
    expect((await generate(services, project, { include_corrections: false })).rows).toBe(0)
    const pairs = await generate(services, project, { format: 'dpo' })
    expect(await linesOf(pairs.dataset_path)).toMatchObject([
      { chosen: [{ role: 'assistant', content: 'right' }], rejected: [{ role: 'assistant', content: 'wrong' }] },
    ])
  })

  it('makes verdicts of outcomes and ratings, and leaves contradictions out', async () => {
    const services = testServices()
    const project = freshProject()
    await seed(project, [
      { outcome: 'success', score: null },
      { outcome: 'failure', score: null },
      { outcome: 'partial', score: null },
      { outcome: 'partial', feedback: 1, score: null },
      { outcome: 'success', feedback: -1, score: null },
    ])
    const made = await generate(services, project, { format: 'kto' })
    expect((await linesOf(made.dataset_path)).map((line) => line.label)).toEqual([true, false, true])
    expect(made.skipped).toMatchObject({ no_verdict: 1, contradictory: 1 })
  })

  it('exports more rows than one page and more bytes than one part, the same each time', {
    timeout: 60_000,
  }, async () => {
    const services = testServices()
    const project = freshProject()
    const long = 'ü"\n'.repeat(2000)
    await seed(
      project,
      Array.from({ length: 1200 }, (_, i) => ({ query: `query ${i}`, response: `${i} ${long}` })),
    )
    const made = await generate(services, project)
    expect(made.rows).toBe(1200)
    expect(made.bytes).toBeGreaterThan(PART_BYTES)
    const stored = await (await bindings.DATASETS.get(made.dataset_path))?.arrayBuffer()
    expect(stored?.byteLength).toBe(made.bytes)
    expect(await digest(stored ?? new ArrayBuffer(0))).toBe(made.sha256)
    await call(deleteDataset, services, { dataset_id: made.dataset_id })
    expect(await bindings.DATASETS.head(made.dataset_path)).toBeNull()
    const again = await generate(services, project)
    expect(again).toMatchObject({ sha256: made.sha256, dataset_path: made.dataset_path, status: 'created' })
  })

  it('writes an empty file rather than none when nothing qualifies, and says why', async () => {
    const services = testServices()
    const project = freshProject()
    await seed(project, [{ outcome: 'failure' }])
    expect(await generate(services, project)).toMatchObject({ rows: 0, bytes: 0, skipped: { other_outcome: 1 } })
  })

  it('answers not_found for a dataset of another project', async () => {
    const services = testServices()
    const project = freshProject()
    const made = await generate(services, project)
    const stranger = { id: 's', scopes: ['admin' as const], project: 'elsewhere' }
    await expect(call(deleteDataset, services, { dataset_id: made.dataset_id }, stranger)).rejects.toMatchObject({
      code: 'not_found',
    })
  })
})

describe('what lies beside a dataset', () => {
  const text = async (key: string) => (await (await bindings.DATASETS.get(key))?.text()) ?? ''

  it('is a datasheet with counts, tokens and licence, and the lineage in order of the rows', async () => {
    const services = testServices()
    const project = freshProject()
    const ids = await seed(project, [{ query: 'one two', response: 'three' }, { outcome: 'failure' }, {}])
    await call(learningFeedback, services, { project, query: 'q', correction: 'c' })
    const made = await generate(services, project, { license: 'CC-BY-4.0' })
    const { sheet, lineage } = companionKeys(made.dataset_path)
    const read = JSON.parse(await text(sheet)) as Record<string, unknown>
    expect(read).toMatchObject({
      rows: 3,
      sha256: made.sha256,
      license: 'CC-BY-4.0',
      from_interactions: 2,
      from_corrections: 1,
      tokens: { source: 'measured' },
      skipped: { other_outcome: 1 },
      lineage: { key: lineage, sha256: await digest(new TextEncoder().encode(await text(lineage))) },
    })
    expect((await text(lineage)).split('\n').slice(0, 2)).toEqual([ids[0], ids[2]])
    await call(deleteDataset, services, { dataset_id: made.dataset_id })
    expect(await text(sheet)).toBe('')
    expect(await text(lineage)).toBe('')
  })

  it('tells which rows have turned since', async () => {
    const services = testServices()
    const project = freshProject()
    const ids = await seed(project, [{}, {}, {}, {}])
    const made = await generate(services, project)
    const check = () => call(checkDataset, services, { dataset_id: made.dataset_id })
    expect(await check()).toMatchObject({ rows: 4, withdrawn: 0, by_reason: {} })
    await call(updateOutcome, services, { interaction_id: ids[0], outcome: 'failure' })
    await call(learningFeedback, services, { project, interaction_id: ids[1], query: 'q', correction: 'better' })
    await bindings.DB.prepare('DELETE FROM interactions WHERE id = ?').bind(ids[2]).run()
    expect(await check()).toMatchObject({ withdrawn: 3, by_reason: { other_outcome: 1, corrected: 1, gone: 1 } })
  })

  it('makes increments that together are the whole', async () => {
    const services = testServices()
    const project = freshProject()
    await seed(project, [{ query: 'a' }, { query: 'b' }])
    const first = await generate(services, project, { incremental: true })
    await seed(project, [{ query: 'c' }])
    const second = await generate(services, project, { incremental: true })
    expect(first.rows).toBe(2)
    expect(second).toMatchObject({ rows: 1, skipped: { exported_before: 2 } })
    expect((await generate(services, project, { incremental: true })).rows).toBe(0)
    expect((await generate(services, project)).rows).toBe(3)
  })
})

describe('redaction', () => {
  it.each([
    ['github_token', `ghp_${'a1B2'.repeat(9)}`],
    ['aws_access_key', 'AKIAIOSFODNN7EXAMPLQ'.replace(/[^A-Z2-7]/g, 'A')],
    ['model_provider_key', `sk-ant-${'x9'.repeat(20)}`],
    ['json_web_token', `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.${'c'.repeat(20)}`],
    ['url_password', 'postgres://app:hunter22@db.internal/app'],
    ['bearer_token', 'Authorization: Bearer abcdef0123456789'],
    ['assigned_secret', `DB_PASSWORD = "correct-horse-battery"`],
    ['private_key', `-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----`],
  ])('replaces a %s and counts it', (kind, secret) => {
    const counts: Record<string, number> = {}
    const clean = redact(`before ${secret} after`, counts)
    expect(counts).toEqual({ [kind]: 1 })
    expect(clean).toContain(`[redacted ${kind}]`)
    expect(clean.startsWith('before ')).toBe(true)
    expect(clean.endsWith(' after')).toBe(true)
    expect(redact(clean, counts)).toBe(clean)
  })

  it.each([
    'password: "********"',
    'API_KEY="$PRODUCTION_API_KEY"',
    'const secret = "<your secret here>"',
    'https://example.com:8080/path@v2',
    'a skill-based approach, task-oriented',
    'git commit 3f9d2c1e7ab84e02a5f6c7d8e9f0a1b2c3d4e5f6',
  ])('leaves %s alone', (text) => {
    expect(redact(text, {})).toBe(text)
  })

  it('keeps secrets out of the file and says how many there were', async () => {
    const services = testServices()
    const project = freshProject()
    const token = `ghp_${'q'.repeat(36)}`
    await seed(project, [{ query: `clone with ${token}`, response: `Never paste ${token}.` }])
    const made = await generate(services, project)
    const file = (await (await bindings.DATASETS.get(made.dataset_path))?.text()) ?? ''
    expect(file).not.toContain(token)
    expect(made.sheet).toMatchObject({ redacted: { github_token: 2 } })
  })
})

describe('split', () => {
  it('keeps near-duplicates on one side, shares out everything and is stable', async () => {
    const services = testServices()
    const project = freshProject()
    const words = Array.from({ length: 400 }, (_, i) => `word${i}`)
    const topic = (i: number) => Array.from({ length: 20 }, (_, j) => words[(i * 7 + j * 13) % words.length]).join(' ')
    const rows = Array.from({ length: 60 }, (_, i) => [
      { query: topic(i), response: `first ${i}` },
      { query: `${topic(i)}?`, response: `second ${i}` },
    ]).flat()
    await seed(project, rows)
    const input = { validation_share: 0.3 }
    const train = await generate(services, project, { ...input, split: 'train' })
    const validation = await generate(services, project, { ...input, split: 'validation' })
    expect(train.rows + validation.rows).toBe(120)
    expect(validation.rows).toBeGreaterThan(15)
    expect(validation.rows).toBeLessThan(60)
    const promptsOf = async (made: Made) =>
      new Set(
        (await linesOf(made.dataset_path)).map((line) =>
          (line.messages as { content: string }[])[1]?.content.replace('?', ''),
        ),
      )
    const [a, b] = [await promptsOf(train), await promptsOf(validation)]
    expect([...a].filter((prompt) => b.has(prompt))).toEqual([])
    expect(a.size + b.size).toBe(60)
    expect((await generate(services, project, { ...input, split: 'train' })).status).toBe('unchanged')
  })

  it('does not chain different prompts that share a few words', () => {
    const groups = new PromptGroups()
    const subjects = [
      'nginx',
      'docker',
      'postgres',
      'redis',
      'kafka',
      'webpack',
      'vite',
      'eslint',
      'tailwind',
      'prisma',
    ]
    for (const subject of subjects) groups.add(`how do I configure ${subject} for production`)
    groups.add('How do I configure nginx for production?')
    const found = groups.groups()
    expect(found[10]).toBe(0)
    expect(new Set(found.slice(0, 10)).size).toBeGreaterThanOrEqual(8)
  })
})

describe('sinks', () => {
  it('cuts any chunks into equal parts and loses no byte', async () => {
    const parts: Uint8Array[] = []
    const upload = {
      uploadPart: async (partNumber: number, part: Uint8Array) => {
        parts.push(part)
        return { partNumber, etag: String(partNumber) }
      },
      complete: async () => undefined,
    }
    const sink = new MultipartSink(upload as unknown as R2MultipartUpload)
    const hash = new HashingSink()
    const sizes = [1, PART_BYTES - 2, 3, PART_BYTES * 2 + 7, 0, 12]
    for (const [i, size] of sizes.entries()) {
      const chunk = new Uint8Array(size).fill(i + 1)
      await sink.write(chunk)
      await hash.write(chunk)
    }
    await sink.finish()
    expect(parts.map((part) => part.length)).toEqual([PART_BYTES, PART_BYTES, PART_BYTES, 21])
    const whole = new Uint8Array(await new Blob(parts).arrayBuffer())
    expect((await hash.finish()).sha256).toBe(await digest(whole))
  })
})

describe('formats', () => {
  // Written from the trainers' published descriptions: OpenAI fine-tuning guide, TRL "Dataset formats and types", Axolotl and
  // Unsloth "ShareGPT", Stanford Alpaca.
  const turn = z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string().min(1) })
  const answer = z.tuple([z.strictObject({ role: z.literal('assistant'), content: z.string().min(1) })])
  const prompt = z.array(turn).refine((turns) => turns.at(-1)?.role === 'user')
  const schemas = {
    'openai-chat': z.strictObject({ messages: z.array(turn).refine((turns) => turns.at(-1)?.role === 'assistant') }),
    sharegpt: z.strictObject({
      conversations: z.tuple([
        z.strictObject({ from: z.literal('system'), value: z.string() }),
        z.strictObject({ from: z.literal('human'), value: z.string().min(1) }),
        z.strictObject({ from: z.literal('gpt'), value: z.string().min(1) }),
      ]),
    }),
    alpaca: z.strictObject({ instruction: z.string().min(1), input: z.string(), output: z.string().min(1) }),
    dpo: z.strictObject({ prompt, chosen: answer, rejected: answer }),
    kto: z.strictObject({ prompt, completion: answer, label: z.boolean() }),
  }

  it.each(DATASET_FORMATS)('every row of a %s file is as the trainers want it', async (format) => {
    const services = testServices()
    const project = freshProject()
    const ids = await seed(project, [
      {},
      { outcome: 'failure' },
      { response: 'a "quoted" \u2028 line\n```\ncode\n```' },
    ])
    await call(learningFeedback, services, { project, interaction_id: ids[0], query: 'q', correction: 'c' })
    const made = await generate(services, project, { format })
    expect(made.rows).toBeGreaterThan(0)
    for (const line of await linesOf(made.dataset_path)) schemas[format].parse(line)
  })

  const example = {
    id: '1',
    prompt: 'Why?\n"quoted" \u2028',
    answer: 'Because.',
    rejected: 'No.',
    good: true,
    correction: false,
  }
  it.each(DATASET_FORMATS)('%s is one line of JSON that holds prompt and answer', (format) => {
    const line = formatExample(format, example, 'Be brief.')
    expect(line).not.toContain('\n')
    const text = JSON.stringify(JSON.parse(line))
    expect(text).toContain('Because.')
    expect(text).toContain('quoted')
  })
})
