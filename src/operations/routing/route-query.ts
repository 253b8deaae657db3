import * as z from 'zod'
import { recordDecision } from '../../database/queries/routing.ts'
import { CoordinatorError, invalidInput } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { KNOWLEDGE_COLLECTIONS } from '../../knowledge/collections.ts'
import { optionalText, queryText } from '../../knowledge/text-fields.ts'
import { searchKnowledge } from '../../retrieval/search.ts'
import { decideModel } from '../../routing/decide-model.ts'
import { type Generated, generate } from '../../routing/generate.ts'
import { CHOICE_CAUSES } from '../../routing/model-choice.ts'
import { QUERY_CLASSES, queryClass } from '../../routing/query-class.ts'
import { chooseMode, MODE_CAUSES, type ModeDecision, modeSignals, SEARCH_MODES } from '../../routing/search-mode.ts'
import { type AcceptedSql, acceptSql, runSql, type SqlRows } from '../../routing/sql.ts'
import { beginsLikeSql, isRefused, type SqlRefusal } from '../../routing/sql-text.ts'
import type { Services } from '../../services.ts'
import { analyseQuery } from '../../text/query-analysis.ts'
import { briefItems, rounded, SEARCH_ITEM_TOKENS } from '../brief-views.ts'
import { resultView, viewResult } from '../context/retrieval-views.ts'
import { emptyProjectNote, note } from '../empty-project.ts'
import { collectionName, collections, degraded, filter, limit, project, scoreThreshold } from '../fields.ts'
import { holds } from '../invoke.ts'
import { checkFilter } from '../knowledge/knowledge-views.ts'
import { ADDS, type Caller, operation } from '../operation.ts'
import { truncated, viewTruncatedQuery } from '../truncated.ts'
import { estimateView, gainView, routerVersion } from './routing-views.ts'

const mode = z.enum(SEARCH_MODES)
const score = z.number().min(0).max(1)
const count = z.int().min(0)

const decision = z.object({
  decision_id: z.string(),
  requested_mode: z.enum(['auto', ...SEARCH_MODES]),
  cause: z.enum(MODE_CAUSES).describe('Why this search was chosen.'),
  signals: z.object({
    terms: count,
    identifiers: count,
    paths: count,
    error_codes: count,
    quoted: count,
    question: z.boolean(),
    sql: z.string().nullable().describe('Why the text is not run as SQL; null: it is a statement that may run.'),
  }),
  scores: z
    .object({ sql: score, keyword: score, semantic: score, hybrid: score })
    .describe('How well each search suits.'),
  model: z.object({
    cause: z.enum(CHOICE_CAUSES).describe('Why this backend was chosen.'),
    threshold: score.describe('Chance of success from which the local model answers.'),
    prefer_local: z.boolean(),
    query_class: z.enum(QUERY_CLASSES),
    router_version: routerVersion,
    local: estimateView,
    remote: estimateView,
    gain: gainView,
    least_gain: z
      .number()
      .describe('Gain under which the remote model is not worth its price, by the weights of the settings.'),
    propensity: score.describe('Probability with which this backend was chosen.'),
  }),
  fallbacks: z.array(z.object({ from: z.string(), to: z.string(), reason: z.string() })),
})

const generated = z.object({
  model: z.string(),
  prompt_tokens: z.int().nullable(),
  completion_tokens: z.int().nullable(),
  finish: z
    .enum(['stop', 'length', 'deadline'])
    .describe('Why the answer ended; length: at the limit of tokens, deadline: what was there in time.'),
})

/** Chooses how to search and which model answers, then searches and, on request, answers. */
export const routeQuery = operation({
  name: 'route_query',
  group: 'routing',
  title: 'Route a query',
  description:
    'Decide how a query is best searched and whether the local model can answer it, and return the results. With ' +
    'generate_response the chosen model answers; where the coordinator has none, you get augmented_prompt to answer yourself.',
  scope: 'read',
  annotations: ADDS,
  http: [
    { method: 'POST', path: '/query', rename: { prompt: 'query' } },
    { method: 'POST', path: '/route_query' },
  ],
  input: z.strictObject({
    project,
    query: queryText.describe('The request or question; for mode sql one SELECT.'),
    mode: z
      .enum(['auto', ...SEARCH_MODES])
      .default('auto')
      .describe(
        'How to search; auto decides. sql reads interactions, outcomes, patterns and exports, with an admin key.',
      ),
    prefer_local: z
      .boolean()
      .default(true)
      .describe('False: use the local model only where it should do at least as well as the remote one.'),
    context: optionalText(20_000).optional().describe('Further text for the model that answers; not searched.'),
    collections: collections.optional(),
    filter: filter.optional(),
    limit: limit(5),
    keyword_limit: limit(5).describe('Maximum number of results when the route is keyword.'),
    score_threshold: scoreThreshold.optional(),
    generate_response: z.boolean().default(false).describe('Whether the chosen model should answer the query.'),
  }),
  output: z.object({
    query: z.string(),
    route: mode,
    backend: z.enum(['local', 'remote', 'database']).describe('Who answers; database: the sql route needs no model.'),
    response: z.string().nullable().describe('The answer; null: none was asked for, or it is yours to give.'),
    generation: generated.nullable().describe('How the response was made.'),
    augmented_prompt: z.string().nullable().describe('Answer from this when response is null and one was asked for.'),
    context_ids: z.array(z.string()).describe('Context in the prompt; pass them to track_interaction.'),
    retrieval_id: z.string().nullable().describe('The augmentation behind the prompt, for track_interaction.'),
    results: z.array(resultView),
    note,
    sql: z
      .object({ columns: z.array(z.string()), rows: z.array(z.array(z.unknown())), truncated: z.boolean() })
      .nullable()
      .describe('Rows of the sql route, at most 100.'),
    collections: z.array(collectionName),
    decision,
    latency_ms: z.number(),
    degraded,
    truncated,
  }),
  async brief({ results, decision: record, sql, ...output }) {
    // A prompt or an answer already contains the items it is based on.
    const used = output.augmented_prompt !== null || output.response !== null
    const { cause, local, remote } = record.model
    return {
      query: output.query,
      route: output.route,
      backend: output.backend,
      response: output.response,
      ...(output.generation && { generation: output.generation }),
      augmented_prompt: output.augmented_prompt,
      ...(output.context_ids.length > 0 && { context_ids: output.context_ids, retrieval_id: output.retrieval_id }),
      ...(output.note !== undefined && { note: output.note }),
      results: used
        ? results.map(({ context_id, score: probability }) => ({ context_id, score: rounded(probability) }))
        : await briefItems(results, SEARCH_ITEM_TOKENS),
      ...(sql && { sql }),
      decision: {
        decision_id: record.decision_id,
        cause: record.cause,
        model: { cause, local: rounded(local.probability), remote: rounded(remote.probability) },
      },
      latency_ms: output.latency_ms,
      ...(output.degraded.length > 0 && { degraded: output.degraded }),
    }
  },
  async run(services, input, caller) {
    const started = services.now()
    const names = input.collections ?? [...KNOWLEDGE_COLLECTIONS]
    checkFilter(input.filter, names)
    const sql = await considerSql(services, input, caller)
    const analysis = analyseQuery(input.query)
    const signals = modeSignals(analysis.prose || analysis.text, sql.refusal)
    const chosen = chooseMode(input.mode, signals)
    const [{ choice, model: decided }, searched, rows] = await Promise.all([
      decideModel(services, {
        project: input.project,
        query: input.query,
        localModel: services.localModel !== null,
        preferLocal: input.prefer_local,
      }),
      chosen.mode === 'sql' ? null : search(services, input, names, chosen),
      sql.accepted && chosen.mode === 'sql' ? rowsOf(services, sql.accepted) : null,
    ])
    const model = { ...decided, query_class: queryClass(analysis) }
    const answer: Generated =
      input.generate_response && chosen.mode !== 'sql'
        ? await generate(services, {
            ...input,
            collections: names,
            external: !input.collections,
            backend: choice.backend,
            queryClass: model.query_class,
            caller: caller.id,
          })
        : {
            backend: choice.backend,
            response: null,
            generation: null,
            contextIds: [],
            retrievalId: null,
            augmentedPrompt: null,
            fallbacks: [],
            degraded: [],
          }
    const backend = chosen.mode === 'sql' ? ('database' as const) : answer.backend
    const decisionId = newId()
    const record = {
      decision_id: decisionId,
      requested_mode: input.mode,
      cause: chosen.cause,
      signals,
      scores: chosen.scores,
      model,
      fallbacks: answer.fallbacks,
    }
    const latency = services.now() - started
    const logged = await recordDecision(services.database, {
      id: decisionId,
      project: input.project,
      query: input.query,
      route: chosen.mode,
      backend,
      record,
      caller: caller.id,
      latencyMs: latency,
      createdAt: started,
    }).then(
      () => [],
      () => ['log'],
    )
    return {
      query: input.query,
      route: chosen.mode,
      backend,
      response: answer.response,
      generation: answer.generation,
      augmented_prompt: answer.augmentedPrompt,
      context_ids: answer.contextIds,
      retrieval_id: answer.retrievalId,
      results: searched?.results ?? [],
      ...(searched?.results.length === 0 && (await emptyProjectNote(services, input.project, caller))),
      sql: rows,
      collections: chosen.mode === 'sql' ? [] : names,
      decision: record,
      latency_ms: latency,
      degraded: [...new Set([...(searched?.degraded ?? []), ...answer.degraded, ...logged])],
      ...viewTruncatedQuery(searched?.truncated ?? []),
    }
  },
})

interface SqlConsidered {
  readonly accepted: AcceptedSql | null
  readonly refusal: SqlRefusal | 'not_considered' | null
}

/**
 * Decides whether the query is a SQL statement that may run. If the caller asked for SQL and the statement may not
 * run, it gets an error with the reason. A query that only looks like SQL is treated as an ordinary query.
 */
async function considerSql(
  services: Services,
  { query, mode, project }: { query: string; mode: string; project: string },
  caller: Caller,
): Promise<SqlConsidered> {
  const explicit = mode === 'sql'
  if (explicit && !services.settings.SQL_ROUTE_ENABLED) {
    throw new CoordinatorError('forbidden', 'The sql route is switched off.', {
      field: 'mode',
      hint: 'Set SQL_ROUTE_ENABLED.',
    })
  }
  if (explicit && !holds(caller, 'admin')) {
    throw new CoordinatorError('forbidden', 'The sql route needs a key with the scope "admin".', {
      field: 'mode',
      hint: 'Use such a key, or another mode.',
    })
  }
  const bound = caller.project !== null && !services.settings.SQL_ROUTE_PROJECT_KEYS
  if (explicit && bound) {
    throw new CoordinatorError('forbidden', 'The sql route is off for keys that are bound to a project.', {
      field: 'mode',
      hint: 'Set SQL_ROUTE_PROJECT_KEYS, use a key for all projects, or another mode.',
    })
  }
  const allowed = services.settings.SQL_ROUTE_ENABLED && holds(caller, 'admin') && !bound
  if (!explicit && !(mode === 'auto' && allowed && beginsLikeSql(query)))
    return { accepted: null, refusal: 'not_considered' }
  const verdict = await acceptSql(services, project, query)
  if (isRefused(verdict)) {
    if (explicit) {
      throw invalidInput('query', verdict.message, {
        hint: 'Send one SELECT over the views interactions, outcomes, patterns and exports, or another mode.',
      })
    }
    return { accepted: null, refusal: verdict.refusal }
  }
  if (!explicit && verdict.views.length === 0) return { accepted: null, refusal: 'outside_views' }
  return { accepted: verdict, refusal: null }
}

async function rowsOf(services: Services, accepted: AcceptedSql): Promise<SqlRows> {
  const rows = await runSql(services, accepted)
  if (isRefused(rows))
    throw invalidInput('query', rows.message, { hint: 'Ask for less: fewer rows, a narrower condition.' })
  return rows
}

async function search(
  services: Services,
  input: {
    project: string
    query: string
    limit: number
    keyword_limit: number
    score_threshold?: number
    filter?: z.output<typeof filter>
    collections?: z.output<typeof collections>
  },
  names: z.output<typeof collections>,
  { mode }: ModeDecision,
) {
  const wanted = mode === 'keyword' ? input.keyword_limit : input.limit
  const found = await searchKnowledge(services, {
    project: input.project,
    query: input.query,
    collections: names,
    mode: mode === 'sql' ? 'hybrid' : mode,
    limit: wanted,
    scoreThreshold: input.score_threshold ?? 0,
    filter: input.filter,
    external: input.collections === undefined,
  })
  return {
    results: found.ranked.slice(0, wanted).map(viewResult),
    degraded: found.degraded,
    truncated: found.truncated,
  }
}
