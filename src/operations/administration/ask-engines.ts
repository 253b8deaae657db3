import * as z from 'zod'
import { CoordinatorError } from '../../errors.ts'
import type { ChatModel } from '../../inference/chat/chat-model.ts'
import type { Services } from '../../services.ts'
import { project } from '../fields.ts'
import { operation, READS } from '../operation.ts'

const ANSWER_TOKENS = 8
/** Deadline of a chat model, in milliseconds. The other engines keep their own deadlines. */
const CHAT_MS = 20_000
const PASSAGES = ['The proxy waits for 60 seconds.', 'Bread dough rises for two hours.']
const QUESTION = 'How long does the proxy wait?'

/** Sends one real request to every configured engine. */
export const askEngines = operation({
  name: 'ask_engines',
  group: 'administration',
  title: 'Ask the engines',
  description:
    'Ask every engine in use one real question: the store a search, the embedder a vector, the chat models eight tokens, the ' +
    'reranker two passages. Shows what check_readiness cannot, since it calls models.',
  scope: 'admin',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'POST', path: '/engines/ask' }],
  input: z.strictObject({ project }),
  output: z.object({
    engines: z.array(
      z.object({
        name: z.string(),
        uses: z.string(),
        error: z.string().nullable().describe('Null: it answered as it should.'),
        answer: z.string().nullable().describe('What it said, in short.'),
        latency_ms: z.number(),
      }),
    ),
  }),
  async run(services, input) {
    const asked = questions(services, input.project)
    return {
      engines: await Promise.all(
        asked.map(async ({ name, uses, ask }) => {
          const started = services.now()
          const { error, answer } = await ask().then(
            (said) => ({ error: null, answer: said }),
            (thrown: unknown) => ({ error: causeOf(thrown), answer: null }),
          )
          return { name, uses, error, answer, latency_ms: services.now() - started }
        }),
      ),
    }
  },
})

interface Question {
  readonly name: string
  readonly uses: string
  /** @returns a short form of the answer */
  ask(): Promise<string>
}

function questions(services: Services, name: string): Question[] {
  const { embedder, knowledge, reranker, external, localModel, remoteModel } = services
  const text = `${QUESTION} ${services.now()}`
  const vectorOf = async () => {
    const [embedding] = await embedder.embed([text], 'query')
    return embedding?.vector ?? null
  }
  const all: (Question | null)[] = [
    {
      name: 'knowledge_store',
      uses: knowledge.name,
      ask: async () => {
        const scope = { project: name, collection: 'best-practices' as const }
        const request = { text, vector: null, space: embedder.space, keyword: true, depth: 1, limit: 1 }
        const { items } = await knowledge.search(scope, request)
        return `${items} items in best-practices`
      },
    },
    {
      name: 'embedder',
      uses: embedder.space.name,
      ask: async () => {
        const vector = await vectorOf()
        if (!vector) throw new CoordinatorError('engine_unavailable', 'The embedder gave no vector.')
        return `a vector of ${vector.length} numbers`
      },
    },
    localModel && chat('local_model', localModel),
    remoteModel ? chat('remote_model', remoteModel) : null,
    reranker
      ? {
          name: 'reranker',
          uses: reranker.name,
          ask: async () => {
            const [first = 0, second = 0] = await reranker.rerank(QUESTION, PASSAGES)
            return `${first.toFixed(2)} for a passage that answers, ${second.toFixed(2)} for one that does not`
          },
        }
      : null,
    external
      ? {
          name: external.name,
          uses: external.name,
          ask: async () => `${(await external.search(name, QUESTION, 3)).length} results`,
        }
      : null,
  ]
  return all.filter((question) => question !== null)
}

function chat(name: string, model: ChatModel): Question {
  return {
    name,
    uses: model.name,
    ask: async () => {
      const messages = [{ role: 'user' as const, content: 'Reply with the word ready.' }]
      const { content, model: served } = await model.complete(messages, {
        maxTokens: ANSWER_TOKENS,
        deadlineMs: CHAT_MS,
      })
      if (content.trim() === '')
        throw new CoordinatorError('engine_unavailable', `The model ${served} returned no text.`)
      return `${served} says “${content.trim().slice(0, 60)}”`
    },
  }
}

/** The part of a failure that is safe to return. The coordinator's own errors contain no secrets. */
function causeOf(thrown: unknown): string {
  if (!(thrown instanceof CoordinatorError) || thrown.code === 'internal') return 'It failed; see the log.'
  return thrown.hint ? `${thrown.message} ${thrown.hint}` : thrown.message
}
