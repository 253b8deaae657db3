import { describe, expect, it } from 'vitest'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { checkDataset } from '../../src/operations/training-data/check-dataset.ts'
import { deleteDataset } from '../../src/operations/training-data/delete-dataset.ts'
import { redact } from '../../src/security/redact.ts'
import { companionKeys } from '../../src/training-data/datasheet.ts'
import { PromptGroups } from '../../src/training-data/groups.ts'
import { bindings, call, finish, freshProject, testServices } from '../outcomes/support.ts'
import { digest, generate, linesOf, type Made, seed } from './dataset-support.ts'

describe('companion files of a dataset', () => {
  const text = async (key: string) => (await (await bindings.DATASETS.get(key))?.text()) ?? ''

  it('are a datasheet with counts, tokens and licence, and the lineage in row order', async () => {
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

  it('reports rows that have changed since', async () => {
    const services = testServices()
    const project = freshProject()
    const ids = await seed(project, [{}, {}, {}, {}])
    const made = await generate(services, project)
    const check = () => finish<{ examples: { id: string }[] }>(checkDataset, services, { dataset_id: made.dataset_id })
    expect(await check()).toMatchObject({ rows: 4, withdrawn: 0, by_reason: {} })
    await call(updateOutcome, services, { interaction_id: ids[0], outcome: 'failure' })
    await call(learningFeedback, services, { project, interaction_id: ids[1], query: 'q', correction: 'better' })
    await bindings.DB.prepare('DELETE FROM interactions WHERE id = ?').bind(ids[2]).run()
    const checked = await check()
    expect(checked).toMatchObject({ withdrawn: 3, by_reason: { other_outcome: 1, corrected: 1, gone: 1 } })
    expect(checked.examples.map(({ id }) => id)).toEqual(ids.slice(0, 3).sort())
  })

  it('creates increments that together are the whole', async () => {
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
    ['url_password', 'postgres://app:Tq7vLw2x@db.internal/app'],
    ['bearer_token', 'Authorization: Bearer 9fQ2xLr7Vb0TzK1m'],
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
  ])('does not change %s', (text) => {
    expect(redact(text, {})).toBe(text)
  })

  it('removes secrets from the file and reports their number', async () => {
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
  it('keeps near-duplicates on one side, assigns everything and is stable', async () => {
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
