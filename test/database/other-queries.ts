/**
 * Calls of the queries that no operation with a plain input causes: deletions, budgets, uploads, keys, training, and
 * error paths. Only the queries matter, not their results.
 */
import {
  countArchivesOfCaller,
  nextArchiveOfCaller,
  noteTidy,
  textsInTable,
} from '../../src/database/queries/archives.ts'
import { adjustUse, readControls, reserveUse } from '../../src/database/queries/controls.ts'
import { queueSummary } from '../../src/database/queries/conversations.ts'
import { votesOnItems } from '../../src/database/queries/credit.ts'
import { projectsWithKnowledge } from '../../src/database/queries/deletions.ts'
import { addEmbeddingJob, postponeEmbeddingJob } from '../../src/database/queries/embedding.ts'
import { eraseInteractions, eraseOfProject, eraseVotes } from '../../src/database/queries/erasure.ts'
import {
  countSelected,
  dependentsOf,
  fellowSources,
  PROJECT_TABLES,
  selectRows,
  writtenBy,
} from '../../src/database/queries/erasure-selection.ts'
import { datasetsOfSeries, withdrawnExamples } from '../../src/database/queries/exports.ts'
import { markDeadLetters } from '../../src/database/queries/jobs.ts'
import { findKeyByHash, findKeyById, touchKey } from '../../src/database/queries/keys.ts'
import { LOGS, pruneLog, schedulePruning } from '../../src/database/queries/pruning.ts'
import { reserveTokens, settleTokens } from '../../src/database/queries/quotas.ts'
import { resetRanking, storeRanking } from '../../src/database/queries/ranking.ts'
import { countRedactions } from '../../src/database/queries/redactions.ts'
import { findRetrieval } from '../../src/database/queries/retrievals.ts'
import {
  findDecision,
  meanLatencies,
  reportedOutcomes,
  resetRouter,
  routerStatus,
  storeThreshold,
} from '../../src/database/queries/routing.ts'
import { beginUpload, endUpload, findUpload, notePart } from '../../src/database/queries/uploads.ts'
import { explainStatement, runStatement } from '../../src/database/queries/views.ts'
import { newId } from '../../src/ids.ts'
import type { Services } from '../../src/services.ts'
import { filterOf, nightlySettings } from '../../src/training-data/settings.ts'

/** Runs each of them once, in a separate project. */
export async function askTheOthers({ database }: Pick<Services, 'database'>): Promise<void> {
  const [project, id, now] = ['other-queries', newId(), Date.now()]
  const scope = { project, patterns: [] }
  await explainStatement(database, 'SELECT id FROM interactions', scope, 1)
  await runStatement(database, 'SELECT id FROM interactions', scope, 1)
  await Promise.all([
    findDecision(database, project, id),
    meanLatencies(database, project),
    routerStatus(database, project),
    reportedOutcomes(database, project),
  ])
  await storeThreshold(database, project, 0.5)
  const model = {
    project,
    version: 1,
    examples: 0,
    queries: 0,
    gain: 0,
    standardErrors: 0,
    accepted: false,
    weights: {},
    needs: null,
    learnt: 0,
    startedAt: now,
  }
  await storeRanking(database, model, now)
  await Promise.all([resetRanking(database, project, now), resetRouter(database, project, now)])
  await Promise.all([findKeyByHash(database, 'hash'), findKeyById(database, id), touchKey(database, id, now, now)])
  const budgets = [{ subject: 'key:other', most: 10 }]
  await reserveTokens(database, '2027-01-01', budgets, 1)
  await settleTokens(database, '2027-01-01', budgets, 1)
  await reserveUse(database, '2027-01-01', 1, await readControls(database))
  await adjustUse(database, '2027-01-01', 1)
  await countRedactions(database, project, { email: 1 }, now)
  await Promise.all([queueSummary(database, project, 'talk', 1, now), addEmbeddingJob(database, project, 'other', now)])
  await postponeEmbeddingJob(database, project, 'other', now, now + 1)
  await markDeadLetters(database, [id], now)
  for (const log of LOGS) await pruneLog(database, log, 0)
  await schedulePruning(database, 0, now)
  await findRetrieval(database, project, id)
  await datasetsOfSeries(database, project, 'series')
  await withdrawnExamples(database, filterOf(nightlySettings(project, 0)), [id])
  await beginUpload(database, { key: 'other', project, uploadId: 'u', startedAt: now })
  await notePart(database, 'other', 'u', 1, { etag: 'e', sha256: 's' })
  await findUpload(database, 'other')
  await endUpload(database, 'other')
  await Promise.all([textsInTable(database, [id]), noteTidy(database, id), fellowSources(database, [id])])
  const key = { what: 'key', key: 'other', project } as const
  await Promise.all([nextArchiveOfCaller(database, key, ''), countArchivesOfCaller(database, 'other', project)])
  const conversation = { what: 'conversation', project, conversation: 'talk' } as const
  for (const selection of [{ what: 'project', project }, conversation, key] as const) {
    await countSelected(database, selection)
    for (const table of ['interactions', 'retrievals', 'routing_decisions', 'corrections'] as const)
      await selectRows(database, table, selection, '')
  }
  await dependentsOf(database, [id])
  await eraseInteractions(database, [id], now)
  await eraseVotes(database, key, now)
  await votesOnItems(database, [{ project, collection: 'best-practices', id }])
  await writtenBy(database, 'other', project)
  await projectsWithKnowledge(database, 5)
  for (const table of PROJECT_TABLES) await eraseOfProject(database, table, project)
}
