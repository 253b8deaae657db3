/** Training rows are complete answers, and a correction has the same meaning in every format. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { withoutThinking } from '../../src/text/thinking.ts'
import { DATASET_FORMATS } from '../../src/training-data/formats.ts'
import { bindings, call, freshProject, testServices } from '../outcomes/support.ts'
import { generate, linesOf, type Made, seed } from './dataset-support.ts'

const ALL = { min_value_score: 0 }

async function tag(id: string | undefined, tags: string[]) {
  await bindings.DB.prepare('UPDATE interactions SET tags = ? WHERE id = ?').bind(JSON.stringify(tags), id).run()
}

describe('an incomplete answer', () => {
  it.each(['openai-chat', 'sharegpt', 'alpaca', 'kto'] as const)(
    'is not a row of %s, and is counted',
    async (format) => {
      const services = testServices()
      const project = freshProject()
      const ids = await seed(project, [{}, {}, {}, {}, {}])
      for (const [i, tags] of [['openai', 'incomplete'], ['stopped'], ['openai', 'length'], ['tool_calls']].entries())
        await tag(ids[i], tags)
      await tag(ids[4], ['openai'])
      const made = await generate(services, project, { ...ALL, format })
      expect(made.rows).toBe(1)
      expect(made.skipped).toEqual({ incomplete: 2, cut_by_length: 1, tool_calls: 1 })
    },
  )
})

describe('thinking', () => {
  const thought = '<think>\nsecret chain of thought\n</think>\n\nUse the flag.'

  it('is removed from answers, or kept if requested, and counted', async () => {
    const services = testServices()
    const project = freshProject()
    await seed(project, [
      { query: 'q1', response: thought },
      { query: 'q2', response: 'Plain.' },
      { query: 'q3', response: '<think>never ends' },
    ])
    const cut = await generate(services, project, ALL)
    expect(cut).toMatchObject({ rows: 2, skipped: { thinking_only: 1 }, sheet: { thinking: { cut: 1, kept: 0 } } })
    expect(JSON.stringify(await linesOf(cut.dataset_path))).not.toContain('secret')
    const kept = await generate(services, project, { ...ALL, thinking: 'keep' })
    expect(kept).toMatchObject({ rows: 3, sheet: { thinking: { cut: 0, kept: 2 } } })
    expect(JSON.stringify(await linesOf(kept.dataset_path))).toContain('secret')
  })

  it('is distinguished from answers that write about it', () => {
    expect(withoutThinking(thought)).toBe('Use the flag.')
    expect(withoutThinking('First.\n<reasoning>x</reasoning>\nSecond.')).toBe('First.\n\nSecond.')
    for (const text of [
      'Models write <think> before they answer.',
      'Example:\n```xml\n<think>\nx\n</think>\n```\nThat is it.',
      'No tags at all',
    ])
      expect(withoutThinking(text)).toBe(text)
  })

  it('is removed in one pass, whatever the text', () => {
    const piece = fc.constantFrom('<think>', '</think>', '\n', 'a', '```\n', '<|channel|>analysis<|message|>', ' ')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const once = withoutThinking(pieces.join(''))
        expect(once.length).toBeLessThanOrEqual(pieces.join('').length)
        expect(once.startsWith('<think>')).toBe(false)
      }),
    )
  })
})

describe('a corrected answer', () => {
  it.each(DATASET_FORMATS)('is never a good one in %s', async (format) => {
    const services = testServices()
    const project = freshProject()
    const [id] = await seed(project, [{ query: 'How do I set the pool size?', response: 'Set it to 5.', feedback: 1 }])
    await call(learningFeedback, services, {
      project,
      interaction_id: id,
      query: 'How do I set the pool size?',
      correction: 'Five is wrong: it starves the workers. Set it to 50.',
    })
    const made = await generate(services, project, { ...ALL, format })
    const lines = await linesOf(made.dataset_path)
    expect(lines).toHaveLength(1)
    const [line] = lines
    if (format === 'kto') expect(line).toMatchObject({ label: false })
    else if (format === 'dpo') expect(JSON.stringify(line?.rejected)).toContain('Set it to 5.')
    else expect(JSON.stringify(line)).not.toContain('Set it to 5.')
  })
})

describe('incremental exports of a split', () => {
  it('never put near-duplicates of earlier rows on the other side', async () => {
    const services = testServices()
    const project = freshProject()
    const words = (i: number) => Array.from({ length: 20 }, (_, j) => `word${(i * 31 + j * 17) % 997}`).join(' ')
    const sides: Record<'train' | 'validation', Set<string>> = { train: new Set(), validation: new Set() }
    for (let round = 0; round < 3; round++) {
      // Every question is repeated with small differences, and its later forms have smaller and larger ids than others.
      await seed(
        project,
        Array.from({ length: 40 }, (_, i) => ({
          query: `${words(i)}${'?'.repeat(round)}`,
          response: `a${round} ${i}`,
        })),
      )
      for (const split of ['train', 'validation'] as const) {
        const input = { ...ALL, split, validation_share: 0.4, incremental: true }
        const made: Made = await generate(services, project, input)
        for (const line of await linesOf(made.dataset_path))
          sides[split].add((line.messages as { content: string }[])[1]?.content.replace(/\?+$/, '') ?? '')
      }
    }
    expect(sides.train.size + sides.validation.size).toBe(40)
    expect([...sides.train].filter((prompt) => sides.validation.has(prompt))).toEqual([])
  })
})
