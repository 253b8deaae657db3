import { describe, expect, test } from 'vitest'
import { VectorFeeder } from '../../cli/ingest/embed.ts'
import { EmbedPool } from '../../cli/ingest/embed-pool.ts'
import { type HttpClient, HttpError } from '../../cli/shared/http.ts'

interface Sent {
  id: string
  hash: string
  vector: string | null
}

/** A coordinator with these texts to embed, in pages of two. */
function coordinator(texts: Record<string, string>, answer: { by?: string; space?: string; refuse?: HttpError } = {}) {
  const waiting = new Map(Object.entries(texts))
  const sent: Sent[] = []
  const asked: string[] = []
  const pending = ({ cursor: after = '' }: { cursor?: string }) => {
    asked.push(after)
    const page = [...waiting].filter(([id]) => id > after).slice(0, 2)
    const more = [...waiting].some(([id]) => id > (page.at(-1)?.[0] ?? '~'))
    return {
      space: answer.space ?? 'minilm-l6-256-v1',
      by: answer.by ?? 'client',
      items: page.map(([id, text]) => ({ id, hash: `hash of ${id}`, text })),
      next_cursor: more ? page.at(-1)?.[0] : null,
    }
  }
  const http: HttpClient = {
    get: async () => {
      throw new Error('nothing is only read')
    },
    async post<T>(path: string, body: unknown) {
      if (path === '/knowledge/vectors/pending') return pending(body as { cursor?: string }) as T
      if (answer.refuse) throw answer.refuse
      const { vectors } = body as { vectors: Sent[] }
      for (const vector of vectors) waiting.delete(vector.id)
      sent.push(...vectors)
      return { stored: vectors.length } as T
    },
    delete: async () => {
      throw new Error('nothing is deleted')
    },
  }
  return { http, waiting, sent, asked }
}

const feeder = (http: HttpClient, stopped = () => false) =>
  new VectorFeeder({ http, project: 'default', collection: 'codebase-context', stopped, pool: new EmbedPool(1) })

const bytes = ({ vector }: Sent) => new Int8Array(Buffer.from(vector ?? '', 'base64'))

describe('vectors', () => {
  test('of all pending texts are sent, including texts that are added later', async () => {
    const { http, waiting, sent } = coordinator({ a: 'Open a file.', b: 'Close it.', c: '', d: 'Read its lines.' })
    const run = feeder(http)
    waiting.set('e', 'Write to it.')
    const report = await run.finish(5)
    expect(report).toMatchObject({ stored: 5 })
    expect(waiting.size).toBe(0)
    expect(sent.map(({ id, hash }) => [id, hash])).toContainEqual(['e', 'hash of e'])
    expect(sent.find(({ id }) => id === 'c')?.vector).toBeNull()
    const vectors = sent.filter(({ id }) => id !== 'c').map(bytes)
    expect(vectors.map(({ length }) => length)).toEqual([256, 256, 256, 256])
    expect(vectors.every((codes) => Math.max(...codes.map(Math.abs)) === 127)).toBe(true)
  })

  test('are left to a server that computes them itself', async () => {
    for (const answer of [{ by: 'server' }, { space: 'llama.cpp/bge-small-en-v1.5' }]) {
      const { http, sent } = coordinator({ a: 'Open a file.' }, answer)
      expect(await feeder(http).finish(1)).toBeUndefined()
      expect(sent).toEqual([])
    }
  })

  test('reports rejected vectors, and continues', async () => {
    const refuse = new HttpError(400, { detail: 'vectors[0] is not the vector of its item' })
    const { http } = coordinator({ a: 'Open a file.' }, { refuse })
    expect(await feeder(http).finish(1)).toMatchObject({ stored: 0, left: 'vectors[0] is not the vector of its item' })
  })

  test('end when the run is interrupted', async () => {
    const { http, sent } = coordinator({ a: 'Open a file.' })
    await feeder(http, () => true).finish(1)
    expect(sent).toEqual([])
  })

  test('are left to the server after some passes if others keep changing texts', async () => {
    const { http, waiting } = coordinator({ a: 'Open a file.' })
    const { post } = http
    let changes = 0
    http.post = async (path, body) => {
      const answered = await post(path, body)
      if (path === '/knowledge/vectors') waiting.set('a', `Open file ${++changes}.`)
      return answered as never
    }
    await feeder(http).finish(1)
    expect(changes).toBeLessThan(6)
  })
})
