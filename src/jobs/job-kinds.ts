/**
 * The kinds of background work. Each is an idempotent function: it may run twice, late or out of order, and may stop at
 * any point.
 * @module
 */

import { archiveInteractions } from '../archive/archive.ts'
import { summariseConversation } from '../conversation/summarise.ts'
import { eraseData } from '../erasure/erase.ts'
import { indexInteraction } from '../outcomes/history.ts'
import { indexCorrection } from '../outcomes/index-correction.ts'
import { scoreInteraction } from '../outcomes/score-interaction.ts'
import { budgetedModel } from '../patterns/generation-budget.ts'
import { learnPattern } from '../patterns/learn.ts'
import { noteForRanking, trainProjectRanking } from '../retrieval/train-ranking.ts'
import { noteScored, routerSummary, trainProjectRouter } from '../routing/trained-router.ts'
import { runCheck, runExport } from './dataset-jobs.ts'
import { embedCollection } from './embed-collection.ts'
import type { JobFunction } from './job-function.ts'
import { pruneLogs } from './prune-logs.ts'

export const JOB_KINDS = {
  index_interaction: async (services, { subject }) => {
    await indexInteraction(services, subject)
    return 'done'
  },
  index_correction: async (services, { subject }) => {
    await indexCorrection(services, subject)
    return 'done'
  },
  score_interaction: async (services, { subject, revision }) => {
    const result = await scoreInteraction(services, subject, revision)
    if (result === 'done') {
      await noteScored(services, subject)
      await noteForRanking(services, subject)
    }
    return result
  },
  learn_pattern: (services, { subject, revision }) => learnPattern(services, subject, revision),
  embed_collection: (services, { subject }, budget) => embedCollection(services, subject, budget),
  export_dataset: runExport,
  check_dataset: runCheck,
  delete_data: (services, { subject }, budget) => eraseData(services, subject, budget),
  archive_interactions: (services, { subject }, budget) => archiveInteractions(services, subject, budget),
  prune_logs: (services, _task, budget) => pruneLogs(services, budget),
  train_router: async (services, { subject }) => {
    const step = await trainProjectRouter(services, subject)
    return step === 'done' ? { step, result: { ...(await routerSummary(services, subject)) } } : step
  },
  train_ranking: (services, { subject }, budget) => trainProjectRanking(services, subject, budget),
  summarise_conversation: async (services, { subject }) => {
    if (!services.localModel) return 'done'
    const [project = '', id = ''] = JSON.parse(subject) as string[]
    await summariseConversation(services.conversations, budgetedModel(services, services.localModel), project, id)
    return 'done'
  },
} as const satisfies Record<string, JobFunction>

export type JobKind = keyof typeof JOB_KINDS

export const JOB_KIND_NAMES = Object.keys(JOB_KINDS) as [JobKind, ...JobKind[]]

/** The function of a kind; null if this version doesn't know the kind. */
export function jobFunction(kind: string): JobFunction | null {
  return Object.hasOwn(JOB_KINDS, kind) ? JOB_KINDS[kind as JobKind] : null
}
