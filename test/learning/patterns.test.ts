import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Pattern } from '../../src/database/queries/patterns.ts'
import { prepareItem } from '../../src/knowledge/prepare.ts'
import { echoShare } from '../../src/learning/patterns/echo.ts'
import { errorType, essence, extractByRules } from '../../src/learning/patterns/extract.ts'
import { patternFields } from '../../src/learning/patterns/item.ts'
import { processLearning } from '../../src/operations/process-learning.ts'
import { trackInteraction } from '../../src/operations/track-interaction.ts'
import { updateOutcome } from '../../src/operations/update-outcome.ts'
import { bindings, call, exchange, freshProject, silentEmbedder, type TestServices, testServices } from './support.ts'

const STEPS =
  'Do this:\n\n1. Open the site file.\n2. Add a location block.\n3. Reload.\n\n```nginx\nlocation / { proxy_pass http://app; }\n```\n'
const QUERY = 'How do I set up an nginx reverse proxy for the app?'

async function learnt(
  services: TestServices,
  project: string,
  overrides: object,
  outcome = 'success',
  user_feedback = 1,
) {
  const input = exchange(project, { query: QUERY, response: STEPS, ...overrides })
  const { interaction_id } = await call<{ interaction_id: string }>(trackInteraction, services, input)
  await report(services, project, interaction_id, outcome, user_feedback)
  return interaction_id
}

async function report(
  services: TestServices,
  project: string,
  interaction_id: string,
  outcome: string,
  user_feedback = 1,
) {
  await call(updateOutcome, services, { interaction_id, outcome, user_feedback })
  for (let i = 0; i < 3; i++) await call(processLearning, services, { project, limit: 100 })
}

const itemsOf = async (services: TestServices, project: string, collection: 'skills-patterns' | 'error-solutions') =>
  (await services.knowledge.list({ project, collection }, { limit: 100 })).entries

describe('patterns from interactions', () => {
  it('come from a high-value success, with what was asked, what solved it, and who extracted it', async () => {
    const services = testServices()
    const project = freshProject()
    await learnt(services, project, {})
    const [item] = await itemsOf(services, project, 'skills-patterns')
    expect(item?.fields).toMatchObject({
      skill_name: QUERY,
      description: STEPS.trim(),
      success_examples: [QUERY],
      extracted_by: 'rules',
    })
    expect(item?.fields.value_score).toBeGreaterThanOrEqual(services.settings.HIGH_VALUE_THRESHOLD)
  })

  it('never come from failures, partial successes, bad ratings or low scores', async () => {
    const services = testServices()
    const project = freshProject()
    await learnt(services, project, {}, 'failure')
    await learnt(services, project, {}, 'partial')
    await learnt(services, project, {}, 'success', -1)
    await learnt(services, project, { query: 'zebra crossing colours', response: 'Black.' }, 'success', 0)
    expect(await itemsOf(services, project, 'skills-patterns')).toEqual([])
  })

  it('merge when they solve the same problem, and count a failure against it', async () => {
    const services = testServices()
    const project = freshProject()
    await learnt(services, project, {})
    await learnt(services, project, { query: 'How should I set up the nginx reverse proxy for an app?' })
    await learnt(services, project, { query: 'set up nginx reverse proxy app' }, 'failure', -1)
    await learnt(services, project, { query: 'How do I configure the postgres replication slots?' })
    const items = await itemsOf(services, project, 'skills-patterns')
    expect(items).toHaveLength(2)
    const merged = items.find((item) => String(item.fields.skill_name).includes('nginx'))
    expect(merged?.fields.success_examples).toHaveLength(2)
    expect(merged?.fields.failure_examples).toEqual(['set up nginx reverse proxy app'])
  })

  it('become error solutions when the query states an error, with verified counts', async () => {
    const services = testServices()
    const project = freshProject()
    const query = "How do I fix this?\nTypeError: Cannot read properties of undefined (reading 'map')"
    await learnt(services, project, { query })
    const [first] = await itemsOf(services, project, 'error-solutions')
    expect(first?.fields).toMatchObject({
      error_message: "TypeError: Cannot read properties of undefined (reading 'map')",
      error_type: 'TypeError',
      success_count: 1,
      failure_count: 0,
      solution_verified: false,
    })
    await learnt(services, project, { query: `${query}\nPlease debug it.` })
    const [second, more] = await itemsOf(services, project, 'error-solutions')
    expect(more).toBeUndefined()
    expect(second?.fields).toMatchObject({ success_count: 2, solution_verified: true })
    expect(Number(second?.fields.confidence_score)).toBeGreaterThan(Number(first?.fields.confidence_score))
  })

  it('go when the outcome that they rest on turns, and come back with it', async () => {
    const services = testServices()
    const project = freshProject()
    const id = await learnt(services, project, {})
    await report(services, project, id, 'failure', -1)
    expect(await itemsOf(services, project, 'skills-patterns')).toEqual([])
    await report(services, project, id, 'success')
    expect(await itemsOf(services, project, 'skills-patterns')).toHaveLength(1)
  })

  it('are one when two jobs find the same problem at once', async () => {
    const services = testServices()
    const project = freshProject()
    await Promise.all(Array.from({ length: 4 }, () => learnt(services, project, {})))
    expect(await itemsOf(services, project, 'skills-patterns')).toHaveLength(1)
    const { results } = await bindings.DB.prepare('SELECT id FROM patterns WHERE project = ?').bind(project).all()
    expect(results).toHaveLength(1)
  })
})

describe('firewall against self-echo', () => {
  it('does not learn an answer that repeats the context it was given, round after round', {
    timeout: 120_000,
  }, async () => {
    const services = testServices()
    const project = freshProject()
    const scope = { project, collection: 'best-practices' as const }
    const fields = { title: QUERY, description: STEPS }
    const item = await prepareItem(project, 'best-practices', fields, 'one', silentEmbedder)
    await services.knowledge.upsert(scope, [item])
    // 500 rounds with VITE_ECHO_ROUNDS=500 in the environment.
    const rounds = Number((import.meta as { env?: Record<string, string> }).env?.VITE_ECHO_ROUNDS ?? 25)
    for (let round = 0; round < rounds; round++) {
      await learnt(services, project, {
        query: `${QUERY} (${round})`,
        response: `As noted:\n${STEPS}`,
        context_ids: [`best-practices/${item.id}`],
      })
    }
    expect(await itemsOf(services, project, 'skills-patterns')).toEqual([])
    expect(await itemsOf(services, project, 'error-solutions')).toEqual([])
    const entries = (await services.knowledge.list(scope, { limit: 10 })).entries
    expect(entries.map((entry) => entry.fields)).toEqual([fields])
  })

  it('measures containment: 1 for a copy, 0 for something else', () => {
    expect(echoShare(STEPS, [STEPS])).toBe(1)
    expect(echoShare('Something else entirely was said in this answer here', [STEPS])).toBe(0)
    expect(echoShare('', [STEPS])).toBe(0)
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (answer, context) => {
        const share = echoShare(answer, context)
        expect(share).toBeGreaterThanOrEqual(0)
        expect(share).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('extraction by rules', () => {
  it('takes first paragraph, steps and code of a long answer, and closes what it cuts', () => {
    const filler = 'This sentence explains at length what nobody needs to know. '.repeat(120)
    const found = essence(`Use a proxy.\n\n${filler}\n\n1. Open.\n2. Close.\n\n\`\`\`\ncode()\n\`\`\`\n\n${filler}`)
    expect(found).toBe('Use a proxy.\n1. Open.\n2. Close.\n```\ncode()\n```')
  })

  it('bounds every part and keeps fences even', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 3000 }), fc.string({ maxLength: 12_000 }), (query, response) => {
        const found = extractByRules(query, response)
        if (!found) return
        expect(found.title.length).toBeLessThanOrEqual(300)
        expect(found.approach.length).toBeLessThanOrEqual(4000)
        expect(found.terms.length).toBeGreaterThanOrEqual(2)
      }),
    )
  })

  it.each([
    ['TypeError: x is not a function', 'TypeError'],
    ["error TS2345: Argument of type 'string'", 'TS2345'],
    ['Error: ENOENT: no such file or directory', 'ENOENT'],
    ['it does not work', null],
  ])('names the type of %s', (message, type) => {
    expect(errorType(message)).toBe(type)
  })

  it('makes no item of a pattern that nothing speaks for', () => {
    const pattern: Pattern = {
      id: 'p',
      project: 'x',
      collection: 'skills-patterns',
      title: 't',
      approach: 'a',
      terms: ['t'],
      extractedBy: 'rules',
      createdAt: 0,
    }
    expect(patternFields(pattern, [])).toBeNull()
  })
})
