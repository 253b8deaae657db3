import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { deleteDataset } from '../../src/operations/training-data/delete-dataset.ts'
import { listDatasets } from '../../src/operations/training-data/list-datasets.ts'
import { DATASET_FORMATS, formatExample } from '../../src/training-data/formats.ts'
import { HashingSink, MultipartSink, PART_BYTES } from '../../src/training-data/sink.ts'
import { bindings, call, freshProject, testServices } from '../outcomes/support.ts'
import { digest, generate, linesOf, type Made, seed } from './dataset-support.ts'

describe('generate_training_data', () => {
  it('includes successes with high scores, once, and counts the rest by reason', async () => {
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

  it('gives the same dataset for the same data and settings, and another for different ones', async () => {
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

  it('removes a row when its outcome changes', async () => {
    const services = testServices()
    const project = freshProject()
    const [id] = await seed(project, [{}, {}])
    expect((await generate(services, project)).rows).toBe(2)
    await call(updateOutcome, services, { interaction_id: id, outcome: 'failure' })
    expect(await generate(services, project)).toMatchObject({ rows: 1, skipped: { other_outcome: 1 } })
  })

  it('replaces a corrected answer with the correction, and creates pairs from both', async () => {
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

  it('creates verdicts from outcomes and ratings, and leaves contradictions out', async () => {
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

  it('exports more rows than one page and more bytes than one part, always the same', async () => {
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

  it('writes an empty file instead of none if nothing qualifies, and states why', async () => {
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

describe('sinks', () => {
  it('splits any chunks into equal parts and loses no byte', async () => {
    const parts: Uint8Array[] = []
    const upload = {
      uploadPart: async (partNumber: number, part: Uint8Array) => {
        parts.push(part)
        return { partNumber, etag: String(partNumber) }
      },
      complete: async () => undefined,
    }
    const sink = new MultipartSink(upload as unknown as R2MultipartUpload, {}, async () => undefined)
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
    expect(await hash.finish()).toBe(await digest(whole))
  })
})

describe('formats', () => {
  // Written from the trainers' published descriptions: OpenAI fine-tuning guide, TRL "Dataset formats and types",
  // Axolotl and Unsloth "ShareGPT", Stanford Alpaca.
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

  it.each(DATASET_FORMATS)('every row of a %s file has the format of the trainers', async (format) => {
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
    archived: false,
  }
  it.each(DATASET_FORMATS)('%s is one line of JSON with prompt and answer', (format) => {
    const line = formatExample(format, example, 'Be brief.')
    expect(line).not.toContain('\n')
    const text = JSON.stringify(JSON.parse(line))
    expect(text).toContain('Because.')
    expect(text).toContain('quoted')
  })
})
