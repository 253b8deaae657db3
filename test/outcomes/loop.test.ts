import { describe, expect, it } from 'vitest'
import { itemId, newId } from '../../src/ids.ts'
import { prepareItem } from '../../src/knowledge/prepare.ts'
import { processLearning } from '../../src/operations/administration/process-learning.ts'
import { getInteraction } from '../../src/operations/interactions/get-interaction.ts'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { rateInteraction } from '../../src/operations/interactions/rate-interaction.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { bindings, call, exchange, freshProject, silentEmbedder, testServices } from './support.ts'

interface Tracked {
  interaction_id: string
  status: string
}
interface Reported {
  status: string
  revision: number
  value_score: number | null
  outcome: string | null
  user_feedback: number
  job_id: string | null
  job_status: string | null
}
interface Read extends Reported {
  value_parts: Record<string, number> | null
  contexts: { context_id: string }[]
  history: { outcome: string | null; user_feedback: number | null }[]
}

const countOf = async (table: string, project: string) =>
  (await bindings.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE project = ?`)
    .bind(project)
    .first<number>('n')) ?? 0

describe('track_interaction', () => {
  it('stores the interaction, its contexts in order and one job', async () => {
    const services = testServices()
    const project = freshProject()
    const contexts = [`codebase-context/${newId()}`, `best-practices/${newId()}`]
    const input = exchange(project, { context_ids: [...contexts, contexts[0]] })
    const { interaction_id, status } = await call<Tracked>(trackInteraction, services, input)
    expect(status).toBe('recorded')
    const read = await call<Read>(getInteraction, services, { interaction_id })
    expect(read.contexts.map((context) => context.context_id)).toEqual(contexts)
    expect(read.value_score).toBeNull()
    expect(await countOf('jobs', project)).toBe(1)
    expect(services.enqueued).toHaveLength(1)
  })

  it('returns the first id if an idempotency key is repeated, even concurrently', async () => {
    const services = testServices()
    const project = freshProject()
    const input = exchange(project, { idempotency_key: 'retry-1', context_ids: [`best-practices/${newId()}`] })
    const answers = await Promise.all(Array.from({ length: 8 }, () => call<Tracked>(trackInteraction, services, input)))
    expect(new Set(answers.map((answer) => answer.interaction_id)).size).toBe(1)
    expect(answers.filter((answer) => answer.status === 'recorded')).toHaveLength(1)
    expect(await countOf('interactions', project)).toBe(1)
    expect(await countOf('jobs', project)).toBe(1)
  })

  it('keeps equal keys of two projects apart', async () => {
    const services = testServices()
    const [a, b] = await Promise.all(
      [freshProject(), freshProject()].map((project) =>
        call<Tracked>(trackInteraction, services, exchange(project, { idempotency_key: 'same' })),
      ),
    )
    expect(a?.interaction_id).not.toBe(b?.interaction_id)
  })

  it.each([
    ['an empty query', { query: '' }, 'query'],
    ['a NUL', { response: 'a\0b' }, 'response'],
    ['half a surrogate pair', { query: 'x\ud800' }, 'query'],
    ['a negative token count', { tokens_used: -1 }, 'tokens_used'],
    ['an unknown field', { responce: 'x' }, 'responce'],
  ])('rejects %s and names the field', async (_, overrides, field) => {
    const project = freshProject()
    await expect(call(trackInteraction, testServices(), exchange(project, overrides))).rejects.toMatchObject({
      code: 'invalid_input',
      field,
    })
    expect(await countOf('interactions', project)).toBe(0)
  })
})

describe('update_outcome', () => {
  it('answers not_found for an id that does not exist, and writes nothing', async () => {
    const services = testServices()
    const id = newId()
    await expect(call(updateOutcome, services, { interaction_id: id, outcome: 'success' })).rejects.toMatchObject({
      code: 'not_found',
    })
    const events = await bindings.DB.prepare('SELECT count(*) AS n FROM outcome_events WHERE interaction_id = ?')
    expect(await events.bind(id).first<number>('n')).toBe(0)
    expect(services.enqueued).toEqual([])
  })

  it('hides interactions of other projects from a key bound to one', async () => {
    const services = testServices()
    const { interaction_id } = await call<Tracked>(trackInteraction, services, exchange(freshProject()))
    const stranger = { id: 'stranger', scopes: ['admin' as const], project: 'elsewhere' }
    for (const [operation, input] of [
      [updateOutcome, { interaction_id, outcome: 'failure' }],
      [rateInteraction, { interaction_id, rating: -1 }],
      [getInteraction, { interaction_id }],
    ] as const) {
      await expect(call(operation, services, input, stranger)).rejects.toMatchObject({ code: 'not_found' })
    }
  })

  it('counts a repeated outcome once', async () => {
    const services = testServices()
    const project = freshProject()
    const { interaction_id } = await call<Tracked>(trackInteraction, services, exchange(project))
    const input = { interaction_id, outcome: 'success', user_feedback: 1 }
    const answers = await Promise.all(Array.from({ length: 6 }, () => call<Reported>(updateOutcome, services, input)))
    expect(answers.map((answer) => answer.status).sort()).toEqual(['recorded', ...Array(5).fill('unchanged')])
    expect(answers.every((answer) => answer.revision === 1)).toBe(true)
    expect(await countOf('outcome_events', project)).toBe(1)
    expect(await countOf('jobs', project)).toBe(2)
  })

  it('loses no concurrent change: each has its event, its revision and its job', async () => {
    const services = testServices()
    const project = freshProject()
    const { interaction_id } = await call<Tracked>(trackInteraction, services, exchange(project))
    const changes = ['success', 'failure', 'partial', 'success', 'failure', 'partial'] as const
    const answers = await Promise.all(
      changes.map((outcome) => call<Reported>(updateOutcome, services, { interaction_id, outcome })),
    )
    const recorded = answers.filter((answer) => answer.status === 'recorded')
    const read = await call<Read>(getInteraction, services, { interaction_id })
    expect(read.history).toHaveLength(recorded.length)
    expect(read.revision).toBe(recorded.length)
    expect(read.outcome).toBe(read.history.at(-1)?.outcome)
    expect(await countOf('jobs', project)).toBe(1 + recorded.length)
  })

  it('ignores a late repetition of an earlier report by its idempotency key', async () => {
    const services = testServices()
    const { interaction_id } = await call<Tracked>(trackInteraction, services, exchange(freshProject()))
    const first = { interaction_id, outcome: 'success', idempotency_key: 'report-1' }
    await call(updateOutcome, services, first)
    await call(updateOutcome, services, { interaction_id, outcome: 'failure' })
    expect(await call<Reported>(updateOutcome, services, first)).toMatchObject({
      status: 'unchanged',
      outcome: 'failure',
    })
  })

  it('keeps an earlier rating if an outcome is reported without one', async () => {
    const services = testServices()
    const { interaction_id } = await call<Tracked>(trackInteraction, services, exchange(freshProject()))
    await call(rateInteraction, services, { interaction_id, rating: 1 })
    const answer = await call<Reported>(updateOutcome, services, { interaction_id, outcome: 'success' })
    expect(answer).toMatchObject({ outcome: 'success', user_feedback: 1, revision: 2 })
    expect(await call<Reported>(rateInteraction, services, { interaction_id, rating: -1 })).toMatchObject({
      outcome: 'success',
      user_feedback: -1,
    })
  })

  it('is scored by the job, and scored again when the outcome changes', async () => {
    const services = testServices()
    const project = freshProject()
    const { interaction_id } = await call<Tracked>(trackInteraction, services, exchange(project))
    const pending = await call<Reported>(updateOutcome, services, {
      interaction_id,
      outcome: 'success',
      user_feedback: 1,
    })
    expect(pending).toMatchObject({ value_score: null, job_status: 'pending' })
    expect(await call(processLearning, services, { project })).toMatchObject({ ran: 3 })
    const scored = await call<Read>(getInteraction, services, { interaction_id })
    const sum = Object.values(scored.value_parts ?? {}).reduce((total, part) => total + part, 0)
    expect(scored.value_score).toBeCloseTo(sum, 10)
    expect(scored.value_parts).toMatchObject({ outcome: 0.4, feedback: 0.2, novelty: 0.1 })
    await call(updateOutcome, services, { interaction_id, outcome: 'failure', user_feedback: -1 })
    expect((await call<Read>(getInteraction, services, { interaction_id })).value_score).toBeNull()
    await call(processLearning, services, { project })
    expect((await call<Read>(getInteraction, services, { interaction_id })).value_parts).toMatchObject({
      outcome: 0,
      feedback: 0,
    })
  })
})

describe('value score from data', () => {
  it('computes novelty and recurrence from earlier interactions of the project, not from later ones', async () => {
    const services = testServices()
    const project = freshProject()
    const ids: string[] = []
    for (let i = 0; i < 4; i++) {
      ids.push((await call<Tracked>(trackInteraction, services, exchange(project))).interaction_id)
    }
    for (const interaction_id of [...ids].reverse()) {
      await call(updateOutcome, services, { interaction_id, outcome: 'success' })
    }
    await call(processLearning, services, { project })
    const parts = await Promise.all(
      ids.map(async (interaction_id) => (await call<Read>(getInteraction, services, { interaction_id })).value_parts),
    )
    expect(parts.map((part) => part?.novelty)).toEqual([0.1, 0, 0, 0])
    const reusability = parts.map((part) => part?.reusability ?? 0)
    expect(reusability).toEqual([...reusability].sort((a, b) => a - b))
    expect(new Set(reusability).size).toBe(4)
  })

  it('credits exactly the context of an interaction, and moves the credit when the outcome changes', async () => {
    const services = testServices()
    const project = freshProject()
    const given = { key: 'one', fields: { title: 't', description: 'd' }, provenance: 'human' as const }
    const item = await prepareItem(project, 'best-practices', given, silentEmbedder)
    const scope = { project, collection: 'best-practices' as const }
    await services.knowledge.upsert(scope, [item])
    const input = exchange(project, { context_ids: [`best-practices/${item.id}`] })
    const { interaction_id } = await call<Tracked>(trackInteraction, services, input)
    for (const [outcome, credit] of [
      ['partial', { successes: 0, partials: 1, failures: 0 }],
      ['success', { successes: 1, partials: 0, failures: 0 }],
      ['failure', { successes: 0, partials: 0, failures: 1 }],
    ] as const) {
      await call(updateOutcome, services, { interaction_id, outcome })
      await call(processLearning, services, { project })
      expect((await services.knowledge.get(scope, [item.id]))[0]?.credit).toEqual(credit)
    }
    const read = await call<Read>(getInteraction, services, { interaction_id })
    const [entry] = (await services.knowledge.list({ project, collection: 'interaction-history' }, { limit: 5 }))
      .entries
    expect(entry?.key).toBe(interaction_id)
    expect(entry?.fields).toMatchObject({ outcome: 'failure', value_score: read.value_score })
  })
})

describe('learning_feedback', () => {
  it('is found by the very next search and linked to its interaction', async () => {
    const services = testServices()
    const project = freshProject()
    const { interaction_id } = await call<Tracked>(trackInteraction, services, exchange(project, { variant: 'a' }))
    const input = { project, interaction_id, query: 'reverse proxy', correction: 'Use the upstream block.' }
    const answer = await call<{ feedback_id: string; index: string; context_id: string }>(
      learningFeedback,
      services,
      input,
    )
    expect(answer.index).toBe('indexed')
    expect(answer.context_id).toBe(`learning-feedback/${itemId(project, 'learning-feedback', answer.feedback_id)}`)
    const found = await services.knowledge.search(
      { project, collection: 'learning-feedback' },
      { text: 'proxy', vector: null, space: silentEmbedder.space, keyword: true, depth: 5, limit: 5 },
    )
    expect(found.candidates[0]?.item.fields).toMatchObject({
      correction: 'Use the upstream block.',
      interaction_id,
      original_response: 'Edit the server block, then reload.',
    })
  })

  it('is pending while the store is down, and stored once it is back', async () => {
    const services = testServices()
    const project = freshProject()
    const upsert = services.knowledge.upsert.bind(services.knowledge)
    services.knowledge.upsert = async () => {
      throw new Error('down')
    }
    const input = { project, query: 'q', correction: 'c', idempotency_key: 'k' }
    const first = await call<{ feedback_id: string; index: string }>(learningFeedback, services, input)
    expect(first.index).toBe('pending')
    services.knowledge.upsert = upsert
    services.clock.advance(60_000)
    expect(await call(processLearning, services, { project })).toMatchObject({ ran: 1, kinds: [{ done: 1, left: 0 }] })
    expect(await call(learningFeedback, services, input)).toMatchObject({
      feedback_id: first.feedback_id,
      status: 'unchanged',
      index: 'indexed',
    })
  })

  it('answers not_found for an unknown interaction, and writes nothing', async () => {
    const project = freshProject()
    const input = { project, query: 'q', correction: 'c', interaction_id: newId() }
    await expect(call(learningFeedback, testServices(), input)).rejects.toMatchObject({ code: 'not_found' })
    expect(await countOf('corrections', project)).toBe(0)
    expect(await countOf('jobs', project)).toBe(0)
  })
})
