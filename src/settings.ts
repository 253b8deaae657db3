/**
 * Every variable of the coordinator: its type, default, unit and meaning. Parsed once per isolate. Errors name the
 * invalid variable.
 * @module
 */
import * as z from 'zod'
import { PLANS } from './budget.ts'
import { CoordinatorError } from './errors.ts'

const probability = z.coerce.number().min(0).max(1)
const flag = z.enum(['true', 'false']).transform((value) => value === 'true')

const limit = (least: number, most: number) => z.coerce.number().int().min(least).max(most)

/** A comma-separated list of names. */
const names = z
  .string()
  .default('')
  .transform((text) => text.split(',').map((name) => name.trim().toLowerCase()))
  .transform((parts) => parts.filter((name) => name !== ''))

/** Weight of each part of the value score, each 0 to 1. They sum to 1. */
export type ValueWeights = Readonly<Record<'outcome' | 'feedback' | 'reusability' | 'complexity' | 'novelty', number>>

/** The default weights; the setting VALUE_WEIGHTS overrides them. */
export const VALUE_WEIGHTS: ValueWeights = {
  outcome: 0.4,
  feedback: 0.2,
  reusability: 0.2,
  complexity: 0.1,
  novelty: 0.1,
}

/** Weights of the value score's parts as JSON, e.g. `{"outcome": 0.5, "feedback": 0.2, …}`. */
const valueWeights = z
  .string()
  .default(JSON.stringify(VALUE_WEIGHTS))
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a JSON object' })
      return z.NEVER
    }
  })
  .pipe(
    z
      .strictObject({
        outcome: z.number().min(0).max(1),
        feedback: z.number().min(0).max(1),
        reusability: z.number().min(0).max(1),
        complexity: z.number().min(0).max(1),
        novelty: z.number().min(0).max(1),
      })
      .refine(
        (weights) => Math.abs(Object.values(weights).reduce((sum, weight) => sum + weight, 0) - 1) < 1e-9,
        'must sum to 1',
      ),
  )

/** The name of a Workers AI model. */
const workersAiModel = z
  .string()
  .max(200)
  .regex(/^@[\w-]+(?:\/[\w.-]+){2,}$/, 'must be a model of Workers AI, such as @cf/baai/bge-m3')
  .optional()

const schema = z.object({
  HYBRID_API_KEY: z.string().min(16).optional().describe('Admin key. Without it only loopback requests are served.'),
  ALLOWED_HOSTS: names
    .refine((list) => list.every((name) => /^[a-z0-9.:[\]-]+$/.test(name)), 'must be host names separated by commas')
    .describe('Host names that requests may come to, separated by commas; empty: any.'),
  ALLOWED_ORIGINS: names
    .refine(
      (list) => list.every((name) => URL.canParse(name) && new URL(name).origin === name),
      'must be origins such as https://app.example.com separated by commas',
    )
    .describe('Other origins whose pages may call the coordinator from a browser, separated by commas; empty: none.'),
  LOCAL_CONFIDENCE_THRESHOLD: probability
    .default(0.7)
    .describe('Probability of success from which the local model answers, 0 to 1.'),
  ROUTING_EXPLORATION: z.coerce
    .number()
    .min(0)
    .max(0.5)
    .default(0.02)
    .describe(
      'Share of routed queries that take the model that would not have been chosen, so that both stay known, 0 to 0.5.',
    ),
  ROUTING_QUALITY_WEIGHT: z.coerce
    .number()
    .min(0.001)
    .max(1000)
    .default(1)
    .describe('Worth of one successful answer, beside the two weights below.'),
  ROUTING_COST_WEIGHT: z.coerce
    .number()
    .min(0)
    .max(1000)
    .default(0)
    .describe(
      'Worth of what a remote answer costs more than a local one: 0.05 asks for one more success in 20 answers.',
    ),
  ROUTING_LATENCY_WEIGHT: z.coerce
    .number()
    .min(0)
    .max(1000)
    .default(0)
    .describe('Worth of one second of waiting; mean times of the latest answers are compared.'),
  HIGH_VALUE_THRESHOLD: probability
    .default(0.7)
    .describe('Value score from which an interaction is worth learning from, 0 to 1.'),
  VALUE_WEIGHTS: valueWeights.describe(
    'Weights of outcome, feedback, reusability, complexity and novelty in the value score, as a JSON object; they sum to 1.',
  ),
  RELEVANCE_THRESHOLD: probability
    .default(0.5)
    .describe('Probability that anything found answers the query, under which augment_query adds nothing, 0 to 1.'),
  DEFAULT_TOKEN_BUDGET: z.coerce
    .number()
    .int()
    .min(0)
    .max(100_000)
    .default(2000)
    .describe('Tokens of context that augment_query adds at most when the caller names no budget.'),
  CONTROL_GROUP_SHARE: probability
    .default(0)
    .describe(
      'Share of augmentations that get no context, as a control group that shows what context changes, 0 to 1.',
    ),
  RANKING_LEARNING: z
    .enum(['on', 'off'])
    .default('on')
    .describe('Whether outcomes teach the ranking of searches for queries that were never asked.'),
  HOLD_OUT_SHARE: probability
    .default(0.05)
    .describe(
      'Share of augmentations that leave out one relevant item at random, to learn what each item adds, 0 (never) to 1.',
    ),
  EXPERIMENTS_FROM_OUTCOMES: limit(0, 1_000_000)
    .default(200)
    .describe(
      'Outcomes that a project must have before HOLD_OUT_SHARE leaves anything out and ROUTING_EXPLORATION takes the other model; 0: from the first request. Answers say when either happened.',
    ),
  CONVERSATION_DAYS: z.coerce
    .number()
    .min(0.01)
    .max(3650)
    .default(7)
    .describe('Days that a conversation is kept after its last turn.'),
  CONVERSATION_WINDOW_TOKENS: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000_000)
    .default(32_000)
    .describe(
      'Tokens of conversation after which the model is taken to have lost what was sent, so that it is sent again.',
    ),
  FINETUNE_DATA_PATH: z
    .string()
    .regex(/^[\w./-]*$/)
    .default('datasets')
    .describe('Prefix of the R2 keys of exported datasets.'),
  LLAMA_CPP_BASE_URL: z
    .url()
    .optional()
    .describe(
      'Base URL of a llama.cpp server, e.g. https://llama.example.com. With a path, chats go to that path and /chat/completions.',
    ),
  LLAMA_CPP_API_KEY: z.string().optional().describe('The key given to llama-server --api-key.'),
  LLAMA_CPP_MODEL: z.string().optional().describe('Model to ask for, when the server has several.'),
  LLAMA_CPP_CODING_MODEL: z
    .string()
    .optional()
    .describe('Model that answers queries about code, when the server has several; else LLAMA_CPP_MODEL.'),
  LLAMA_CPP_ANALYSIS_MODEL: z
    .string()
    .optional()
    .describe('Model that answers queries asking for analysis, when the server has several; else LLAMA_CPP_MODEL.'),
  LLAMA_CPP_ACCESS_CLIENT_ID: z
    .string()
    .optional()
    .describe('Client id of a Cloudflare Access service token, when the tunnel is guarded by one.'),
  LLAMA_CPP_ACCESS_CLIENT_SECRET: z.string().optional().describe('Secret of that service token.'),
  LLAMA_CPP_RERANK_URL: z
    .url()
    .optional()
    .describe('Base URL of a llama.cpp server started with --rerank; reorders the best results.'),
  LLAMA_CPP_EMBEDDINGS_URL: z
    .url()
    .optional()
    .describe(
      'Base URL of a llama.cpp server started with --embeddings. Without it the built-in sentence embedder embeds.',
    ),
  EMBEDDER: z
    .enum(['minilm', 'static', 'llama.cpp', 'workers-ai', 'aidb'])
    .optional()
    .describe(
      'Which engine embeds. Left out: llama.cpp where LLAMA_CPP_EMBEDDINGS_URL is set, else Workers AI where WORKERS_AI_EMBEDDING_MODEL is, else the built-in sentence embedder (minilm). static: the built-in word table.',
    ),
  MINILM_QUERIES: z
    .enum(['auto', 'full', 'table'])
    .default('auto')
    .describe(
      'How the built-in sentence embedder embeds questions. full: by the model, 10 ms CPU. table: by a word-piece table, next to nothing; for plans with 10 ms CPU a request. auto: by the model where it is loaded, by the table until then.',
    ),
  EMBEDDING_MODEL: z
    .string()
    .max(200)
    .optional()
    .describe('Embedding model behind LLAMA_CPP_EMBEDDINGS_URL or AIDB, e.g. nomic-embed-text-v1.5.'),
  EMBEDDING_DIMENSIONS: z.coerce
    .number()
    .int()
    .min(2)
    .max(8192)
    .optional()
    .describe('Size of its vectors; needed only for a model that the coordinator does not know.'),
  EMBEDDING_QUERY_PREFIX: z.string().optional().describe('What such a model wants before a question.'),
  EMBEDDING_DOCUMENT_PREFIX: z.string().optional().describe('What such a model wants before a passage.'),
  EMBEDDING_CONTEXT_TOKENS: z.coerce
    .number()
    .int()
    .min(64)
    .max(131_072)
    .default(512)
    .describe('Tokens that such a model reads of a text.'),
  QDRANT_URL: z
    .url()
    .optional()
    .describe('URL of a Qdrant server (1.19 or later) with its port. Without it knowledge lives in Durable Objects.'),
  QDRANT_API_KEY: z.string().optional().describe('Its API key.'),
  QDRANT_ACCESS_CLIENT_ID: z
    .string()
    .optional()
    .describe('Client id of a Cloudflare Access service token, when Qdrant is guarded by one.'),
  QDRANT_ACCESS_CLIENT_SECRET: z.string().optional().describe('Secret of that service token.'),
  QDRANT_PREFIX: z
    .string()
    .regex(/^[\w-]*$/)
    .max(60)
    .default('')
    .describe("Put before the names of Qdrant's collections, so that several coordinators can share a server."),
  QDRANT_QUANTIZATION: z
    .enum(['none', 'scalar', 'product', 'binary'])
    .default('scalar')
    .describe(
      'How Qdrant compresses vectors in memory: scalar to a quarter, product to a sixteenth, binary to a thirty-second (for large vectors). Taken when a collection is made; results are scored by the whole vectors.',
    ),
  REMOTE_MODEL_BASE_URL: z
    .url()
    .optional()
    .describe(
      'Base URL of any OpenAI-compatible server or gateway that answers what the local model is not trusted with. A URL with a path is taken as written; /v1 is added to a bare host.',
    ),
  REMOTE_MODEL_API_KEY: z.string().optional().describe('Its API key.'),
  REMOTE_MODEL_ACCESS_CLIENT_ID: z
    .string()
    .optional()
    .describe('Client id of a Cloudflare Access service token, when that server is guarded by one.'),
  REMOTE_MODEL_ACCESS_CLIENT_SECRET: z.string().optional().describe('Secret of that service token.'),
  REMOTE_MODEL: z.string().max(200).optional().describe('Model to ask it for.'),
  WORKERS_AI_LOCAL_MODEL: workersAiModel.describe(
    'Model of Workers AI that takes the place of the local model where LLAMA_CPP_BASE_URL is not set; needs the binding AI.',
  ),
  WORKERS_AI_REMOTE_MODEL: workersAiModel.describe(
    'Model of Workers AI that takes the place of the remote model where REMOTE_MODEL_BASE_URL is not set; needs the binding AI.',
  ),
  WORKERS_AI_EMBEDDING_MODEL: workersAiModel.describe(
    'Embedding model of Workers AI, e.g. @cf/baai/bge-m3; needs the binding AI.',
  ),
  AIDB_URL: z
    .url()
    .optional()
    .describe('Base URL of AIDB, an external knowledge service: its results are one more ranked list of every search.'),
  AIDB_API_KEY: z.string().optional().describe('Sent to it as Authorization: Bearer.'),
  SQL_ROUTE_ENABLED: flag
    .default(true)
    .describe('Whether route_query may run read-only SQL over the documented views, for keys with the scope admin.'),
  SQL_ROUTE_PROJECT_KEYS: flag
    .default(false)
    .describe('Whether admin keys that are bound to a project may use the SQL route too.'),
  PLAN: z
    .enum(PLANS)
    .default('paid')
    .describe(
      'Plan of Cloudflare Workers whose limits background work keeps; `npm run deploy -- --plan free` sets it.',
    ),
  MAX_BODY_BYTES: limit(1024, 33_554_432)
    .default(4_194_304)
    .describe('Bytes of a request body at most; more is answered 413.'),
  MAX_FIELD_CHARACTERS: limit(1000, 33_554_432)
    .default(1_000_000)
    .describe('Characters of one text in a request at most, whatever its schema allows; more is answered 413.'),
  CONCURRENT_REQUESTS_PER_KEY: limit(0, 10_000)
    .default(100)
    .describe('Requests of one key that may be under way at once in one isolate of the Worker; 0: no limit.'),
  INGEST_ITEMS_PER_DAY: limit(0, 1_000_000_000)
    .default(500_000)
    .describe(
      'Items that a project may send to be stored in a day (UTC), tracked interactions and corrections included; 0: no limit.',
    ),
  INGEST_BYTES_PER_DAY: limit(0, 1_000_000_000_000)
    .default(2_000_000_000)
    .describe('Bytes of JSON that a project may send to be stored in a day (UTC); 0: no limit.'),
  PROJECT_ITEMS: limit(0, 1_000_000_000)
    .default(1_000_000)
    .describe('Items that a project may hold in all its collections; more is answered 413; 0: no limit.'),
  ARCHIVE_AFTER_DAYS: limit(0, 36_500)
    .default(365)
    .describe(
      'Days without a change after which the answer, contexts and history of an interaction move from D1 to R2; its figures stay, and whatever reads it finds it there. 0: never.',
    ),
  LOG_DAYS: limit(0, 36_500)
    .default(400)
    .describe(
      'Days that the logs of retrievals and routing decisions are kept; statistics, hold-outs and replays rest on what is kept. 0: for ever.',
    ),
  GENERATION_SECONDS: limit(1, 600)
    .default(60)
    .describe(
      'Seconds that a model may take for the answer to a routed query; what it has said by then is returned. /v1 waits for 300 s.',
    ),
  GENERATION_TOKENS_PER_KEY: limit(0, 1_000_000_000_000)
    .default(5_000_000)
    .describe(
      'Tokens, prompt and answer, that models may use a day (UTC) for the requests of one key; 0: no limit. Background work has its own budget, see control_learning.',
    ),
  GENERATION_TOKENS_PER_PROJECT: limit(0, 1_000_000_000_000)
    .default(20_000_000)
    .describe('The same for all requests of one project; 0: no limit.'),
  MCP_TOOLS: names.describe(
    'Groups of tools that /mcp lists beside the default set, separated by commas, or all; ?tools= in the URL overrides it.',
  ),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least severe log line that is written.'),
})

export type Settings = z.output<typeof schema>

/** Engines that Cloudflare Access can protect. Each takes an id and a secret, or neither. */
const GUARDED = ['LLAMA_CPP', 'REMOTE_MODEL', 'QDRANT'] as const

/** The JSON Schema of all variables, for documentation. */
export const settingsSchema = schema

const parsed = new WeakMap<object, Settings>()

/**
 * Reads the settings from the Worker's environment.
 * @throws CoordinatorError `internal` naming the invalid variable (never its value, which may be a secret)
 */
export function readSettings(env: object): Settings {
  const known = parsed.get(env)
  if (known) return known
  const result = schema.safeParse(env)
  if (!result.success) {
    const issue = result.error.issues[0]
    const name = issue?.path.join('.') ?? 'unknown'
    throw new CoordinatorError(
      'internal',
      `The variable ${name} is set to a value that can't be used: ${issue?.message}.`,
      {
        field: name,
        hint: `Correct ${name} in wrangler.toml, .dev.vars or with \`wrangler secret put ${name}\`.`,
      },
    )
  }
  requirePairs(result.data)
  parsed.set(env, result.data)
  return result.data
}

/** @throws CoordinatorError `internal` naming the missing half of a service token */
function requirePairs(settings: Settings): void {
  for (const prefix of GUARDED) {
    const [id, secret] = [`${prefix}_ACCESS_CLIENT_ID`, `${prefix}_ACCESS_CLIENT_SECRET`] as const
    if (Boolean(settings[id]) === Boolean(settings[secret])) continue
    const [there, missing] = settings[id] ? [id, secret] : [secret, id]
    throw new CoordinatorError('internal', `The variable ${there} is set without ${missing}.`, {
      field: missing,
      hint: `Set both halves of the service token, or neither.`,
    })
  }
}
