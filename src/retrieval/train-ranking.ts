/**
 * Trains the ranking of a project from the outcomes of its answers.
 * @module
 */

import { type ArchiveServices, archivedLines } from '../archive/read.ts'
import { type Budget, budgetHere } from '../budget.ts'
import { deletedSince } from '../database/queries/deletions.ts'
import {
  namedItems,
  noteRankingOutcome,
  type RankingVote,
  rankingRow,
  rankingVotes,
  storeRanking,
} from '../database/queries/ranking.ts'
import { projectOfOutcome } from '../database/queries/routing.ts'
import type { Outcome } from '../database/schema.ts'
import { isCollection, parseContextId } from '../knowledge/collections.ts'
import { UNSEEN_WEIGHT } from '../ranking/credit.ts'
import { encodeNeeds } from '../ranking/learnt/needs.ts'
import { MAX_FEATURES, type RankedQuery, trainRanking, type Vote } from '../ranking/learnt/train.ts'
import type { Services } from '../services.ts'
import { rankingCandidates } from './search.ts'

/** Limits of one training: interactions that it reads, latest first; distinct queries; characters of each query. */
const MAX_INTERACTIONS = 4_000
const MAX_QUERIES = 400
const QUERY_CHARACTERS = 2_000
/** Number of concurrent searches. */
const CONCURRENT = 4

const SUCCESS = { success: 1, partial: 0.5, failure: 0 } as const

/**
 * Trains the ranking of a project. The work is bounded, however many outcomes there are. Each query is searched again,
 * so that candidates that were not shown are included; the current credit of items is ignored. Queries beyond the
 * budget are not searched.
 * @returns `not_ready`: another training or a deletion happened in between, so nothing was stored and the training must
 *   be repeated
 */
export async function trainProjectRanking(
  services: Services,
  project: string,
  budget: Budget = budgetHere(),
): Promise<'done' | 'not_ready'> {
  const { database } = services
  const startedAt = services.now()
  const row = await rankingRow(database, project)
  if (!row) return 'done'
  if (await deletedSince(database, project, startedAt)) return 'not_ready'
  const votes = await votesOfProject(services, project)
  const byQuery = [...Map.groupBy(votes, ({ query }) => query)].slice(0, MAX_QUERIES)
  const ranked: RankedQuery[] = []
  let features = 0
  for (let start = 0; start < byQuery.length && features < MAX_FEATURES && !budget.spent; start += CONCURRENT) {
    const part = byQuery.slice(start, start + CONCURRENT)
    for (const query of await Promise.all(part.map(([text, own]) => rankedQuery(services, project, text, own)))) {
      features += query.candidates.reduce((sum, candidate) => sum + candidate.features.keys.length, 0)
      if (features < MAX_FEATURES) ranked.push(query)
    }
  }
  const { weights, needs, queries, gain, standardErrors, accepted } = trainRanking(ranked, services.embedder.space.name)
  const stored = await storeRanking(
    database,
    {
      project,
      version: row.version,
      examples: votes.length,
      queries,
      gain,
      standardErrors,
      accepted,
      weights: Object.fromEntries(weights),
      needs: needs && encodeNeeds(needs),
      learnt: row.pending,
      startedAt,
    },
    services.now(),
  )
  return stored ? 'done' : 'not_ready'
}

/**
 * Votes on a project's latest answers, from the table and the archive. An interaction that is being archived is skipped
 * this time.
 */
export async function votesOfProject(services: ArchiveServices, project: string): Promise<RankingVote[]> {
  const read = await rankingVotes(services.database, project, MAX_INTERACTIONS, QUERY_CHARACTERS)
  const away = read.flatMap((entry) => ('archiveId' in entry ? [entry] : []))
  const lines = await archivedLines(services, away)
  return read.flatMap((entry): RankingVote[] => {
    if (!('archiveId' in entry)) return [entry]
    const line = lines.get(entry.id)
    const { items, unseen } = namedItems(line?.contexts ?? [])
    if (!line || items.length === 0) return []
    const { query, shown } = entry
    return line.votes.map(({ caller, outcome }) => ({
      query,
      shown,
      items,
      unseen,
      caller,
      outcome: outcome as Outcome,
    }))
  })
}

async function rankedQuery(
  services: Services,
  project: string,
  query: string,
  votes: readonly RankingVote[],
): Promise<RankedQuery> {
  const named = votes
    .flatMap(({ items }) => items.flatMap((id) => parseContextId(id)?.collection ?? []))
    .filter(isCollection)
  const { vector, candidates } = await rankingCandidates(services, project, query, [...new Set(named)].sort())
  const places = new Map(candidates.map(({ contextId }, i) => [contextId as string, i]))
  return {
    query,
    vector,
    candidates,
    votes: votes.flatMap(({ items, unseen, shown, caller, outcome }): Vote[] => {
      const found = items.flatMap((id) => places.get(id) ?? []).sort((a, b) => a - b)
      return found.length === 0
        ? []
        : [{ items: found, shown, caller, success: SUCCESS[outcome], weight: unseen ? UNSEEN_WEIGHT : 1 }]
    }),
  }
}

/** Registers a scored interaction for ranking, and starts a training when enough of them have accumulated. */
export async function noteForRanking(services: Services, interactionId: string): Promise<void> {
  if (services.settings.RANKING_LEARNING === 'off') return
  const project = await projectOfOutcome(services.database, interactionId)
  if (project === null) return
  const job = await noteRankingOutcome(services.database, project, services.now())
  if (job) await services.enqueueJobs([job]).catch(() => undefined)
}
