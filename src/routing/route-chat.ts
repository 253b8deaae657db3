/**
 * Routes a chat request: chooses the server, finds the context, and records both.
 * @module
 */
import { noteAnswer } from '../conversation/note-answer.ts'
import type { Database } from '../database/database.ts'
import { insertInteraction } from '../database/queries/interactions.ts'
import { recordDecision } from '../database/queries/routing.ts'
import { CoordinatorError } from '../errors.ts'
import { newId } from '../ids.ts'
import type { ChatUpstream, ChatUpstreams } from '../inference/chat-upstream.ts'
import { parseContextId } from '../knowledge/collections.ts'
import { type Augmentation, type AugmentServices, augment } from '../retrieval/augment.ts'
import { analyseQuery } from '../text/query-analysis.ts'
import { type DecidedModel, decideModel, type RoutingSettings } from './decide-model.ts'
import type { BudgetServices } from './generation-budget.ts'
import { type LocalModelSettings, localModelFor, namedLocalModels, queryClass } from './query-class.ts'

export interface ChatServices extends AugmentServices {
  readonly database: Database
  readonly settings: AugmentServices['settings'] &
    BudgetServices['settings'] & {
      readonly DEFAULT_TOKEN_BUDGET: number
    } & RoutingSettings &
    LocalModelSettings
  enqueueJobs(ids: readonly string[]): Promise<void>
}

export interface ChatTask {
  readonly project: string
  /** The person's latest message; null: nothing is augmented or tracked. */
  readonly query: string | null
  /**
   * `media`: with images or other parts besides text. `background_task`: sent by the chat client itself, not asked by a
   * person.
   */
  readonly kind: 'text' | 'media' | 'background_task'
  /** `auto`, `local`, `remote`, or a model of the remote server. */
  readonly model: string
  readonly conversationId: string | null
  /** Id of the caller's key. */
  readonly caller?: string
}

/** A server and the model to request; null: the server's default. */
export interface ChatTarget {
  readonly upstream: ChatUpstream
  readonly model: string | null
}

export interface RoutedChat {
  readonly decisionId: string
  readonly interactionId: string
  /** In the order of attempts. */
  readonly targets: readonly ChatTarget[]
  readonly cause: string
  /** The basis of the choice between both models; null: there was no choice. */
  readonly model: DecidedModel | null
  readonly augmentation: Augmentation | null
}

/** A change of server during an answer. */
export interface ChatFallback {
  readonly from: string
  readonly to: string
  readonly reason: string
}

/**
 * Chooses the servers and finds the context.
 * @throws CoordinatorError `not_found` for an unknown model, `engine_unavailable` if no server is configured for it
 */
export async function routeChat(services: ChatServices, upstreams: ChatUpstreams, task: ChatTask): Promise<RoutedChat> {
  const { project, query } = task
  const [{ targets, cause, model }, augmentation] = await Promise.all([
    chooseTargets(services, upstreams, task),
    query === null
      ? null
      : augment(services, {
          operation: 'chat_completions',
          caller: task.caller,
          project,
          query,
          tokenBudget: services.settings.DEFAULT_TOKEN_BUDGET,
          // The client's own history doesn't contain earlier context, so the model can't see it.
          selfContained: true,
          ...(task.conversationId !== null && { conversationId: task.conversationId }),
        }),
  ])
  return { decisionId: newId(), interactionId: newId(), targets, cause, model, augmentation }
}

async function chooseTargets(
  services: ChatServices,
  { local, remote }: ChatUpstreams,
  { project, query, kind, model }: ChatTask,
): Promise<{ targets: ChatTarget[]; cause: string; model: DecidedModel | null }> {
  const all = [local, remote].filter((upstream) => upstream !== null)
  const target = (upstream: ChatUpstream): ChatTarget => ({
    upstream,
    model:
      upstream.side === 'local' && query !== null
        ? localModelFor(queryClass(analyseQuery(query)), services.settings)
        : upstream.model,
  })
  if (model === 'auto') {
    if (all.length === 0)
      throw notConfigured(
        'No model is configured.',
        'LLAMA_CPP_BASE_URL, REMOTE_MODEL_BASE_URL or a model of Workers AI',
      )
    if (!local || !remote) return { targets: all.map(target), cause: 'only_model', model: null }
    // Local models rarely support images.
    if (kind === 'media') return { targets: [target(remote), target(local)], cause: 'media', model: null }
    if (query === null) {
      const cause = kind === 'background_task' ? kind : 'no_question'
      return { targets: all.map(target), cause, model: null }
    }
    const decided = await decideModel(services, { project, query, localModel: true, preferLocal: true })
    return {
      targets: (decided.choice.backend === 'local' ? [local, remote] : [remote, local]).map(target),
      cause: decided.choice.cause,
      model: decided.model,
    }
  }
  if (model === 'local') {
    if (!local) throw notConfigured('No local model is configured.', 'LLAMA_CPP_BASE_URL')
    return { targets: [target(local)], cause: 'requested', model: null }
  }
  if (local && (model === local.model || namedLocalModels(services.settings).includes(model))) {
    return { targets: [{ upstream: local, model }], cause: 'requested', model: null }
  }
  if (remote)
    return {
      targets: [{ upstream: remote, model: model === 'remote' ? remote.model : model }],
      cause: 'requested',
      model: null,
    }
  if (model === 'remote') throw notConfigured('No remote model is configured.', 'REMOTE_MODEL_BASE_URL')
  throw new CoordinatorError('not_found', 'There is no such model.', {
    field: 'model',
    hint: 'Use auto, local or remote; GET /v1/models lists the models.',
  })
}

function notConfigured(message: string, variables: string): CoordinatorError {
  return new CoordinatorError('engine_unavailable', message, { field: 'model', hint: `Set ${variables}.` })
}

/** The result of answering a chat request. */
export interface ChatEnd {
  readonly status: 'complete' | 'broken' | 'stopped' | 'failed'
  readonly target: ChatTarget | null
  readonly fallbacks: readonly ChatFallback[]
  readonly response: string
  readonly modelUsed: string | null
  /** Tokens of the prompt and the answer; null: not reported by the server. */
  readonly tokens: number | null
  readonly calledTools: boolean
  /** Whether the answer was truncated by its token limit. */
  readonly cut: boolean
  /** When the request arrived, milliseconds since 1970. */
  readonly startedAt: number
}

/**
 * Writes the decision and, if there was an answer, the interaction. An incomplete answer is tagged, so that a fragment
 * is not treated as a whole answer in learning.
 */
export async function recordChat(
  services: ChatServices,
  task: ChatTask,
  routed: RoutedChat,
  end: ChatEnd,
): Promise<void> {
  const now = services.now()
  const { project, query } = task
  const latencyMs = now - end.startedAt
  const { augmentation } = routed
  await recordDecision(services.database, {
    id: routed.decisionId,
    project,
    query: query ?? '',
    route: 'chat',
    backend: end.target?.upstream.side ?? routed.targets[0]?.upstream.side ?? 'remote',
    record: {
      decision_id: routed.decisionId,
      interaction_id: end.response === '' ? null : routed.interactionId,
      requested_model: task.model,
      cause: routed.cause,
      model: routed.model,
      status: end.status,
      fallbacks: end.fallbacks,
    },
    conversationId: task.conversationId,
    caller: task.caller ?? null,
    latencyMs,
    createdAt: end.startedAt,
  })
  if (query === null || end.response === '' || !end.target) return
  const tags = [
    'openai',
    ...(end.calledTools ? ['tool_calls'] : []),
    ...(end.cut ? ['length'] : []),
    ...(end.status === 'complete' ? [] : [end.status === 'stopped' ? 'stopped' : 'incomplete']),
  ]
  const { jobId } = await insertInteraction(
    services.database,
    {
      id: routed.interactionId,
      project,
      query,
      response: end.response,
      agentType: end.target.upstream.side,
      modelUsed: end.modelUsed ?? end.target.model ?? end.target.upstream.side,
      tokensUsed: end.tokens ?? 0,
      latencyMs,
      tags,
      variant: null,
      conversationId: task.conversationId,
      retrievalId: augmentation?.retrievalId ?? null,
      decisionId: routed.decisionId,
      idempotencyKey: null,
      caller: task.caller ?? null,
      contexts: (augmentation?.contextIds ?? []).flatMap((id) => parseContextId(id) ?? []),
    },
    now,
  )
  if (jobId) await services.enqueueJobs([jobId]).catch(() => undefined)
  if (task.conversationId !== null)
    await noteAnswer(services, project, task.conversationId, { query, response: end.response })
}
