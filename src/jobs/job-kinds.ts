/**
 * The kinds of background work. Each is one idempotent function: it may run twice, late, out of order, or stop anywhere.
 * @module
 */

import { archiveInteractions } from '../archive/archive.ts'
import { summariseConversation } from '../conversation/summarise.ts'
import { deletedSince } from '../database/queries/deletions.ts'
import { eraseData } from '../erasure/erase.ts'
import { indexInteraction } from '../outcomes/history.ts'
import { indexCorrection } from '../outcomes/index-correction.ts'
import { scoreInteraction } from '../outcomes/score-interaction.ts'
import { budgetedModel } from '../patterns/generation-budget.ts'
import { learnPattern } from '../patterns/learn.ts'
import { noteForRanking, trainProjectRanking } from '../retrieval/train-ranking.ts'
import { noteScored, trainProjectRouter } from '../routing/trained-router.ts'
import type { Services } from '../services.ts'
import { exportDataset } from '../training-data/export.ts'
import { nightlySettings } from '../training-data/settings.ts'
import { embedCollection } from './embed-collection.ts'
import { pruneLogs } from './prune-logs.ts'

/** What a job tells its runner; `not_ready` means later, and that nothing failed. */
export type JobResult = 'done' | 'not_ready'

/** Does the work on one subject at one revision. */
export type JobFunction = (services: Services, subject: string, revision: number) => Promise<JobResult>

export const JOB_KINDS = {
  index_interaction: async (services, subject) => {
    await indexInteraction(services, subject)
    return 'done'
  },
  index_correction: async (services, subject) => {
    await indexCorrection(services, subject)
    return 'done'
  },
  score_interaction: async (services, subject, revision) => {
    const result = await scoreInteraction(services, subject, revision)
    if (result === 'done') {
      await noteScored(services, subject)
      await noteForRanking(services, subject)
    }
    return result
  },
  learn_pattern: learnPattern,
  embed_collection: embedCollection,
  export_dataset: async (services, project) => {
    if (await deletedSince(services.database, project, services.now())) return 'not_ready'
    await exportDataset(services, nightlySettings(project, services.settings.HIGH_VALUE_THRESHOLD))
    return 'done'
  },
  delete_data: eraseData,
  archive_interactions: archiveInteractions,
  prune_logs: pruneLogs,
  train_router: trainProjectRouter,
  train_ranking: trainProjectRanking,
  summarise_conversation: async (services, subject) => {
    if (!services.localModel) return 'done'
    const [project = '', id = ''] = JSON.parse(subject) as string[]
    await summariseConversation(services.conversations, budgetedModel(services, services.localModel), project, id)
    return 'done'
  },
} as const satisfies Record<string, JobFunction>

export type JobKind = keyof typeof JOB_KINDS

export const JOB_KIND_NAMES = Object.keys(JOB_KINDS) as [JobKind, ...JobKind[]]

/** The function of a kind; null for a kind that this version doesn't know. */
export function jobFunction(kind: string): JobFunction | null {
  return Object.hasOwn(JOB_KINDS, kind) ? JOB_KINDS[kind as JobKind] : null
}
