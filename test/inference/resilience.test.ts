import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CoordinatorError } from '../../src/errors.ts'
import { CachedEmbedder, EmbeddingCache } from '../../src/inference/embedding/cached-embedder.ts'
import { Engine, type EngineClock, EngineFailure } from '../../src/inference/engine/resilience.ts'

class TestClock implements EngineClock {
  time = 1_000_000
  readonly slept: number[] = []
  now() {
    return this.time
  }
  random() {
    return 0.5
  }
  async sleep(ms: number) {
    this.slept.push(ms)
    this.time += ms
  }
}

const POLICY = { deadlineMs: 5_000, attempts: 3, backoffMs: 100, failures: 3, openMs: 10_000, concurrent: 2 }
const fails = (kind: ConstructorParameters<typeof EngineFailure>[0], retryAfterMs?: number) => async () => {
  throw new EngineFailure(kind, `was ${kind}`, retryAfterMs)
}
const attempt = (engine: Engine, work: () => Promise<unknown>, repeatable = false) =>
  engine.call(work, { repeatable }).then(
    () => 'ok',
    (error: CoordinatorError) => error,
  )

describe('retries', () => {
  it('repeat repeatable calls, with growing, jittered delays', async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    let calls = 0
    const result = await engine.call(
      async () => {
        calls++
        if (calls < 3) throw new EngineFailure('failed', 'failed')
        return 'answer'
      },
      { repeatable: true },
    )
    expect([result, calls, clock.slept]).toEqual(['answer', 3, [100, 200]])
  })

  it('follow an attempt that timed out, before the deadline', async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    let calls = 0
    const work = async () => {
      calls++
      clock.time += 3_000
      throw new EngineFailure('timeout', 'did not answer in time')
    }
    const error = await attempt(engine, work, true)
    expect([calls, clock.slept]).toEqual([2, [100]])
    expect(error).toMatchObject({ message: 'It did not answer within 5 s.' })
  })

  it('do not repeat other calls', async () => {
    for (const [kind, repeatable] of [
      ['failed', false],
      ['refused', true],
      ['unauthorized', true],
      ['loading', true],
    ] as const) {
      let calls = 0
      const work = () => {
        calls++
        return fails(kind)()
      }
      await attempt(new Engine('It', 'hint', POLICY, new TestClock()), work, repeatable)
      expect(calls, kind).toBe(1)
    }
  })

  it('wait as long as the engine requests, but not past the deadline', async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    await attempt(engine, fails('busy', 2_000), true)
    expect(clock.slept).toEqual([2000, 2000])
    const error = (await attempt(engine, fails('busy', 60_000), true)) as CoordinatorError
    expect(clock.slept).toEqual([2000, 2000])
    expect(error.retryAfter).toBe(60)
  })
})

describe('the circuit breaker', () => {
  it('opens after consecutive failures, lets one call try after a while, and closes after a success', async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    for (let i = 0; i < 3; i++) {
      expect(engine.state).toBe('closed')
      await attempt(engine, fails('unreachable'))
    }
    expect(engine.state).toBe('open')
    let asked = 0
    const ask = async () => {
      asked++
    }
    const refused = (await attempt(engine, ask)) as CoordinatorError
    expect(refused).toMatchObject({ code: 'engine_unavailable', retryAfter: 10 })
    expect(asked).toBe(0)
    clock.time += 10_001
    expect(engine.state).toBe('half-open')
    expect(await attempt(engine, ask)).toBe('ok')
    expect([engine.state, asked]).toEqual(['closed', 1])
  })

  it('opens again if the probe fails, and allows only one probe at a time', async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    for (let i = 0; i < 3; i++) await attempt(engine, fails('unreachable'))
    clock.time += 10_001
    let release = () => {}
    const probe = attempt(engine, () => new Promise<void>((_, reject) => (release = () => reject(new Error('no')))))
    expect(await attempt(engine, async () => 'x')).toBeInstanceOf(CoordinatorError)
    release()
    expect(await probe).toBeInstanceOf(CoordinatorError)
    expect(engine.state).toBe('open')
  })

  it("lets a request's other calls wait for its probe: if they failed, the request would end and cancel the probe", async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    for (let i = 0; i < 3; i++) await attempt(engine, fails('unreachable'))
    clock.time += 10_001
    const log: string[] = []
    const call = (name: string) =>
      attempt(engine, async () => {
        log.push(`${name} starts`)
        await clock.sleep(30)
        log.push(`${name} ends`)
      })
    expect(await Promise.all([call('a'), call('b')])).toEqual(['ok', 'ok'])
    expect(log).toEqual(['a starts', 'a ends', 'b starts', 'b ends'])
  })

  it('recovers from a probe whose request was cancelled', async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    for (let i = 0; i < 3; i++) await attempt(engine, fails('unreachable'))
    clock.time += 10_001
    void attempt(engine, () => new Promise(() => {}))
    expect(await attempt(engine, async () => 'x')).toBeInstanceOf(CoordinatorError)
    clock.time += POLICY.deadlineMs + 1
    expect(await attempt(engine, async () => 'x')).toBe('ok')
  })

  it('does not open for faults of a single request', async () => {
    const engine = new Engine('It', 'hint', POLICY, new TestClock())
    for (let i = 0; i < 10; i++) await attempt(engine, fails('refused'))
    expect(engine.state).toBe('closed')
  })

  it('is open exactly when the consecutive failures reach the limit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('ok', 'unreachable', 'refused'), { maxLength: 12 }),
        async (outcomes) => {
          const engine = new Engine('It', 'hint', POLICY, new TestClock())
          let row = 0
          for (const outcome of outcomes) {
            if (row >= POLICY.failures) break
            await attempt(engine, outcome === 'ok' ? async () => 1 : fails(outcome))
            row = outcome === 'unreachable' ? row + 1 : 0
          }
          expect(engine.state).toBe(row >= POLICY.failures ? 'open' : 'closed')
        },
      ),
    )
  })
})

describe('the limit of concurrent calls', () => {
  it('makes another call wait for a slot, for at most half of the deadline', async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    let finish = () => {}
    const first = attempt(engine, () => new Promise<void>((resolve) => (finish = resolve)))
    void attempt(engine, () => new Promise(() => {}))
    clock.sleep = async (ms) => {
      clock.time += ms
      if (clock.time > 1_001_000) {
        finish()
        await first
      }
    }
    expect(await attempt(engine, async () => 'x')).toBe('ok')
    expect(clock.time).toBeLessThan(1_001_100)
    void attempt(engine, () => new Promise(() => {}))
    const full = clock.time
    expect(await attempt(engine, async () => 'x')).toMatchObject({
      code: 'engine_unavailable',
      message: 'It has too many calls under way.',
    })
    expect(clock.time - full).toBeGreaterThanOrEqual(POLICY.deadlineMs / 2)
    expect(clock.time - full).toBeLessThan(POLICY.deadlineMs / 2 + 100)
  })

  it('does not wait for a caller that has disconnected', async () => {
    const engine = new Engine('It', 'hint', POLICY, new TestClock())
    for (let i = 0; i < 2; i++) void attempt(engine, () => new Promise(() => {}))
    const gone = engine.call(async () => 'x', { repeatable: true, signal: AbortSignal.abort() })
    await expect(gone).rejects.toThrow('the caller went away')
  })

  it('rejects further calls eventually, and frees the slots of cancelled requests', async () => {
    const clock = new TestClock()
    const engine = new Engine('It', 'hint', POLICY, clock)
    const began = clock.time
    for (let i = 0; i < 2; i++) void attempt(engine, () => new Promise(() => {}))
    expect(await attempt(engine, async () => 'x')).toMatchObject({ code: 'engine_unavailable', retryAfter: 1 })
    expect(await attempt(engine, async () => 'x')).toBe('ok')
    expect(clock.time - began).toBeGreaterThanOrEqual(POLICY.deadlineMs)
  })
})

describe('the message of a failure', () => {
  const hint = { reach: 'Check the address.', access: 'Check the key.' }

  it('mentions the key if the engine denies access', async () => {
    const engine = new Engine('It', hint, POLICY, new TestClock())
    expect(await attempt(engine, fails('unauthorized'))).toMatchObject({ hint: 'Check the key.' })
    expect(await attempt(engine, fails('unreachable'))).toMatchObject({ hint: 'Check the address.' })
  })

  it('is kept as a problem of the engine until a call succeeds, unless it concerns one request', async () => {
    const engine = new Engine('It', hint, POLICY, new TestClock())
    await attempt(engine, fails('invalid'))
    expect(engine.problem).toBe('was invalid')
    await attempt(engine, async () => 'x')
    expect(engine.problem).toBeNull()
    const refusal = { status: 400, message: 'too long', type: null, code: null, param: null }
    await attempt(engine, async () => {
      throw new EngineFailure('refused', 'refused the request', undefined, refusal)
    })
    expect(engine.problem).toBeNull()
  })
})

describe('the deadline', () => {
  it('ends a call that never answers and ignores its signal', async () => {
    const engine = new Engine('It', 'hint', { ...POLICY, deadlineMs: 30 })
    const error = (await attempt(engine, () => new Promise(() => {}))) as CoordinatorError
    expect(error.message).toBe('It did not answer within 0.03 s.')
  })
})

describe('the cache of query embeddings', () => {
  const counting = () => {
    const asked: string[] = []
    const embedder = new CachedEmbedder(
      {
        space: { name: 's', dimensions: 1 },
        embed: async (texts) => {
          asked.push(...texts)
          await new Promise((resolve) => setTimeout(resolve, 5))
          if (texts[0] === 'bad') throw new CoordinatorError('engine_unavailable', 'no')
          return texts.map(() => ({ vector: new Float32Array([1]), coverage: 1 }))
        },
      },
      new EmbeddingCache(),
    )
    return { asked, embedder }
  }

  it('requests the same text once, concurrently and later', async () => {
    const { asked, embedder } = counting()
    await Promise.all(['a', 'a', 'b', 'a'].map((text) => embedder.embed([text], 'query')))
    await embedder.embed(['b'], 'query')
    expect(asked.sort()).toEqual(['a', 'b'])
  })

  it('does not cache failures', async () => {
    const { asked, embedder } = counting()
    for (let i = 0; i < 2; i++) await expect(embedder.embed(['bad'], 'query')).rejects.toThrow('no')
    expect(asked).toEqual(['bad', 'bad'])
  })

  it('passes documents through', async () => {
    const { asked, embedder } = counting()
    await embedder.embed(['a', 'a'], 'document')
    expect(asked).toEqual(['a', 'a'])
  })
})
