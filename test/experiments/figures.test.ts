import { describe, expect, it } from 'vitest'
import { newId } from '../../src/ids.ts'
import { getStats } from '../../src/operations/administration/get-stats.ts'
import { learningStats } from '../../src/operations/administration/learning-stats.ts'
import { metrics } from '../../src/operations/administration/metrics.ts'
import { processLearning } from '../../src/operations/administration/process-learning.ts'
import { compareVariants } from '../../src/operations/experiments/compare-variants.ts'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { rateInteraction } from '../../src/operations/interactions/rate-interaction.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { anyone, bindings, call, exchange, freshProject, type TestServices, testServices } from '../outcomes/support.ts'

async function track(services: TestServices, project: string, overrides: object, outcome?: string, rating?: number) {
  const { interaction_id } = await call<{ interaction_id: string }>(
    trackInteraction,
    services,
    exchange(project, overrides),
  )
  if (outcome) await call(updateOutcome, services, { interaction_id, outcome })
  if (rating !== undefined) await call(rateInteraction, services, { interaction_id, rating })
  return interaction_id
}

describe('get_stats', () => {
  it('counts what was tracked and invents nothing', async () => {
    const services = testServices()
    const project = freshProject()
    const context_ids = ['best-practices/x']
    await track(services, project, { agent_type: 'local', tokens_used: 10, context_ids }, 'success')
    await track(services, project, { tokens_used: 5, model_used: 'other', context_ids }, 'partial')
    await track(services, project, {}, 'failure')
    await track(services, project, {})
    await bindings.DB.prepare(
      `INSERT INTO retrievals (id, project, operation, query, shown, token_budget, tokens_added, tokens_whole, latency_ms, created_at)
       VALUES (?1, ?1, 'augment_query', 'q', '[]', 2000, 300, 1200, 3, 0)`,
    )
      .bind(project)
      .run()
    expect(await call(getStats, services, { project })).toMatchObject({
      interactions: 4,
      outcomes: { success: 1, partial: 1, failure: 1, unknown: 1 },
      by_agent: [
        { agent_type: 'local', count: 1 },
        { agent_type: 'remote', count: 3 },
      ],
      local_share: 0.25,
      scored: 0,
      mean_value_score: null,
      with_context: { with_outcome: 2, success_rate: 0.75 },
      without_context: { with_outcome: 1, success_rate: 0 },
      tokens: {
        used: { value: 15, source: 'measured' },
        context_saved: { value: 900, source: 'measured' },
        saved_by_local: { value: null, source: 'unknown' },
      },
    })
  })

  it('reports null, not 0, for an empty project', async () => {
    expect(await call(getStats, testServices(), { project: freshProject() })).toMatchObject({
      interactions: 0,
      local_share: null,
      mean_value_score: null,
      with_context: { success_rate: null, interval: { low: 0, high: 1 } },
    })
  })
})

describe('learning_stats', () => {
  it('shows the queue before and after processing', async () => {
    const services = testServices()
    const project = freshProject()
    await track(services, project, {}, 'success')
    services.clock.advance(5000)
    expect(await call(learningStats, services, { project })).toMatchObject({
      queue_depth: 2,
      oldest_pending_ms: 5000,
      unscored: 1,
    })
    await call(processLearning, services, { project })
    expect(await call(learningStats, services, { project })).toMatchObject({
      queue_depth: 0,
      oldest_pending_ms: null,
      unscored: 0,
      scored: 1,
      patterns: 1,
      jobs: [
        { kind: 'index_interaction', status: 'done', count: 1 },
        { kind: 'learn_pattern', status: 'done', count: 1 },
        { kind: 'score_interaction', status: 'done', count: 1 },
      ],
    })
  })
})

describe('context_effect', () => {
  it('compares shown context with the control group, and excludes ineligible queries', async () => {
    const services = testServices()
    const project = freshProject()
    const insert = (id: string, control: number, share: number) =>
      bindings.DB.prepare(
        `INSERT INTO retrievals (id, project, operation, query, shown, token_budget, tokens_added, tokens_whole, latency_ms, created_at,
           control, control_share) VALUES (?, ?, 'augment_query', 'q', '[]', 2000, 0, 0, 1, 0, ?, ?)`,
      ).bind(id, project, control, share)
    const report = async (control: number, share: number, outcome: string) => {
      const retrieval_id = newId()
      await insert(retrieval_id, control, share).run()
      await track(services, project, { retrieval_id }, outcome)
    }
    for (let i = 0; i < 6; i++) await report(0, 0.5, i < 5 ? 'success' : 'failure')
    for (let i = 0; i < 4; i++) await report(1, 0.5, i < 1 ? 'success' : 'failure')
    await report(0, 0, 'failure')
    await track(services, project, {}, 'failure')
    const { context_effect } = await call<{
      context_effect: { shown: number; held_out: number; difference: number; interval: { low: number; high: number } }
    }>(learningStats, services, { project })
    expect(context_effect).toMatchObject({ shown: 6, held_out: 4 })
    expect(context_effect.difference).toBeCloseTo(5 / 6 - 1 / 4, 9)
    expect(context_effect.interval.low).toBeLessThan(context_effect.difference)
    expect(context_effect.interval.high).toBeGreaterThan(context_effect.difference)
  })
})

describe('metrics', () => {
  it('is Prometheus text with labels that no caller can choose', async () => {
    const services = testServices()
    const project = freshProject()
    await track(services, project, { model_used: 'evil"} 1\nfake_total 7', variant: 'v"' }, 'success')
    const insert = bindings.DB.prepare(
      `INSERT INTO routing_decisions (id, project, query, route, backend, record, latency_ms, created_at)
       VALUES (?, ?, 'q', ?, ?, '{}', 1, 0)`,
    )
    await bindings.DB.batch([
      insert.bind(`${project}-1`, project, 'hybrid', 'local'),
      insert.bind(`${project}-2`, project, '/raw/path?x=1', 'who knows'),
    ])
    const { text } = await call<{ text: string }>(metrics, services, {}, { ...anyone, project })
    expect(text).toContain('hybrid_coordinator_interactions{outcome="success"} 1\n')
    expect(text).toContain('hybrid_coordinator_routing_decisions{route="other",backend="other"} 1\n')
    expect(text).not.toContain('raw')
    expect(text).not.toContain('evil')
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+)$/)
    }
  })
})

describe('metrics of a state', () => {
  it('are gauges if they can decrease', async () => {
    const services = testServices()
    const project = freshProject()
    const id = await track(services, project, {}, 'failure')
    const read = async () =>
      (await call<{ text: string }>(metrics, services, {}, { ...anyone, project })).text.split('\n')
    expect(await read()).toContain('hybrid_coordinator_interactions{outcome="failure"} 1')
    await call(updateOutcome, services, { interaction_id: id, outcome: 'success' })
    const after = await read()
    expect(after).toContain('hybrid_coordinator_interactions{outcome="failure"} 0')
    expect(after).toContain('# TYPE hybrid_coordinator_interactions gauge')
  })
})

describe('compare_variants', () => {
  it('includes every rating, however given, by variant or tag', async () => {
    const services = testServices()
    const project = freshProject()
    await track(services, project, { variant: 'short' }, 'success', 1)
    await track(services, project, { tags: ['variant:short'] }, 'partial', -1)
    const corrected = await track(services, project, { variant: 'short' }, 'failure')
    await call(learningFeedback, services, {
      project,
      query: 'q',
      correction: 'c',
      rating: -0.5,
      interaction_id: corrected,
    })
    await call(learningFeedback, services, { project, query: 'q', correction: 'c', rating: 0.5, variant: 'long' })
    await track(services, project, { variant: 'long' })
    await track(services, project, { variant: 'long', tags: ['variant:short'] }, 'success')
    const input = { project, variant_a: 'short', variant_b: 'long' }
    const found = await call(compareVariants, services, input)
    expect(found).toMatchObject({
      variant_a: { name: 'short', total: 3, rated: 3, with_outcome: 3, success_rate: 0.5 },
      variant_b: { name: 'long', total: 2, rated: 1, with_outcome: 0, success_rate: null, mean_rating: 0.5 },
      in_both: 1,
      success_difference: null,
      rating_difference_interval: null,
      verdict: 'not_enough_data',
    })
    expect(await call(compareVariants, services, { project, tag_a: 'variant:short', tag_b: 'variant:long' })).toEqual(
      found,
    )
  })

  it('looks back only the given number of days', async () => {
    const services = testServices()
    const project = freshProject()
    await track(services, project, { variant: 'a' }, 'success')
    services.clock.advance(3 * 86_400_000)
    expect(await call(compareVariants, services, { project, variant_a: 'a', variant_b: 'b', days: 2 })).toMatchObject({
      variant_a: { total: 0 },
    })
  })

  it.each([
    [{ variant_b: 'b' }, 'variant_a'],
    [{ variant_a: 'a' }, 'variant_b'],
    [{ variant_a: 'a', variant_b: 'a' }, 'variant_b'],
    [{ variant_a: 'a', variant_b: 'b', days: 0 }, 'days'],
  ])('rejects %j', async (input, field) => {
    await expect(call(compareVariants, testServices(), input)).rejects.toMatchObject({ code: 'invalid_input', field })
  })
})
