/**
 * Deletes all data of a project, a conversation or a key: database, knowledge stores, conversations, datasets, and
 * models learnt from it. Works in repeatable steps, so it can be interrupted at any point and continues where it
 * stopped.
 *
 * Order: first the rows with their dependents; then data that may have been written from them in the meantime: items
 * and datasets whose rows were deleted. While a deletion runs, no dataset is recorded and no trained model is stored
 * (`deletionSince`), and code that indexes a row reads it again afterwards. Finally, everything is counted again, and
 * another round deletes what was written in the meantime.
 * @module
 */
import type { Budget } from '../budget.ts'
import { countArchivesOfCaller } from '../database/queries/archives.ts'
import { votesOnItems } from '../database/queries/credit.ts'
import { type Deletion, findDeletion, saveDeletion } from '../database/queries/deletions.ts'
import { CHUNK, eraseOfProject, eraseRows, eraseSummaryJobs, eraseVotes } from '../database/queries/erasure.ts'
import {
  countSelected,
  type FactTable,
  PROJECT_TABLES,
  ROW_COLLECTIONS,
  type Selection,
  selectRows,
} from '../database/queries/erasure-selection.ts'
import { resetRanking } from '../database/queries/ranking.ts'
import { resetRouter } from '../database/queries/routing.ts'
import { COLLECTION_NAMES } from '../knowledge/collections.ts'
import { syncCredit } from '../outcomes/sync-credit.ts'
import type { Services } from '../services.ts'
import { archiveFiles, eraseArchiveFiles, restoreVotes, tidyArchives } from './archives.ts'
import {
  countDeletedInDatasets,
  eraseDataset,
  eraseDatasetFiles,
  eraseUnrecordedFiles,
  projectFiles,
} from './datasets.ts'
import { eraseInteractionsWithItems, eraseItems, eraseOrphans, eraseWritings, storesOf } from './knowledge.ts'

/** Maximum number of rounds, for data that is written during the deletion. */
const ROUNDS = 3

const FACTS: readonly FactTable[] = ['interactions', 'retrievals', 'routing_decisions', 'corrections']
/** Number of conversations deleted concurrently: a Worker has six connections. */
const CONCURRENT = 6
/** Number of interactions per transaction. */
const TRANSACTION = 100

/** The position of a deletion. */
interface State {
  readonly phase: string
  readonly cursor: string
  readonly round: number
  /** Projects whose routers and rankings were trained on deleted data. */
  readonly projects: readonly string[]
}

/** The initial state of a deletion. */
export const ERASURE_START: State & Record<string, unknown> = { phase: 'count', cursor: '', round: 1, projects: [] }

/** The result of a step. */
interface Step {
  readonly counts?: Record<string, number>
  /** The position within the phase to continue from; null: the phase is complete. */
  readonly cursor: string | null
  readonly projects?: readonly string[]
}

/** The data that a deletion selects. */
export function selectionOf({ what, project, subject }: Pick<Deletion, 'what' | 'project' | 'subject'>): Selection {
  if (what === 'key') return { what, key: subject, project }
  if (what === 'project') return { what, project: subject }
  return { what, project: project ?? 'default', conversation: subject }
}

/** The deletion job: works until the budget is used up. Returns `more` if work is left. */
export async function eraseData(services: Services, id: string, budget: Budget): Promise<'done' | 'more'> {
  while (!budget.spent) {
    const deletion = await findDeletion(services.database, id, null)
    if (!deletion || deletion.status === 'done') return 'done'
    await advance(services, deletion)
  }
  const deletion = await findDeletion(services.database, id, null)
  return deletion?.status === 'running' ? 'more' : 'done'
}

/** Counts the current data of the selection, by kind. */
export async function censusOf(
  services: Services,
  selection: Selection,
  since: number,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = await countSelected(services.database, selection)
  if (selection.what !== 'project') counts.datasets = await countDeletedInDatasets(services, selection, since)
  if (selection.what === 'conversation') {
    const { project, conversation } = selection
    return { ...counts, conversations: (await services.conversations.read(project, conversation)) ? 1 : 0 }
  }
  if (selection.what === 'key') {
    const archives = await countArchivesOfCaller(services.database, selection.key, selection.project)
    return { ...counts, archives }
  }
  for (const collection of COLLECTION_NAMES) {
    for (const store of storesOf(services)) {
      const { items, documents } = await store.statistics({ project: selection.project, collection })
      counts.knowledge_items = (counts.knowledge_items ?? 0) + items
      counts.knowledge_documents = (counts.knowledge_documents ?? 0) + documents
    }
  }
  return {
    ...counts,
    dataset_files: (await projectFiles(services, selection.project)).length,
    archive_files: (await archiveFiles(services, selection.project)).length,
  }
}

function phasesOf({ what }: Selection): readonly string[] {
  if (what === 'project')
    return ['jobs', 'interactions', 'retrievals', 'archives', 'tables', 'knowledge', 'datasets', 'recount']
  const own = what === 'key' ? ['knowledge', 'archived_votes', 'votes'] : ['conversation']
  return [...FACTS, ...own, 'archives', 'orphans', 'datasets', 'routers', 'recount']
}

/** Runs one step and stores the new position. */
async function advance(services: Services, deletion: Deletion): Promise<void> {
  const state = deletion.state as unknown as State
  const selection = selectionOf(deletion)
  const { database } = services
  const [firstPhase = 'recount'] = phasesOf(selection)
  if (state.phase === 'count') {
    const before = await censusOf(services, selection, deletion.createdAt)
    return saveDeletion(database, deletion.id, { before, state: { ...state, phase: firstPhase } })
  }
  if (state.phase === 'recount') {
    const after = await censusOf(services, selection, deletion.createdAt)
    const left = Object.values(after).some((count) => count > 0)
    if (left && state.round < ROUNDS) {
      const again = { ...state, phase: firstPhase, cursor: '', round: state.round + 1 }
      return saveDeletion(database, deletion.id, { after, state: again })
    }
    return saveDeletion(database, deletion.id, { after, status: 'done', finishedAt: services.now() })
  }
  const step = await take(services, selection, state)
  const deleted = { ...deletion.deleted }
  for (const [kind, count] of Object.entries(step.counts ?? {})) {
    if (count > 0) deleted[kind] = (deleted[kind] ?? 0) + count
  }
  const projects = [...new Set([...state.projects, ...(step.projects ?? [])])]
  const phases = phasesOf(selection)
  const phase = step.cursor === null ? (phases[phases.indexOf(state.phase) + 1] ?? 'recount') : state.phase
  const next = { phase, cursor: step.cursor ?? '', round: state.round, projects }
  await saveDeletion(database, deletion.id, { deleted, state: next })
}

async function take(services: Services, selection: Selection, state: State): Promise<Step> {
  const { database } = services
  const { phase, cursor } = state
  if (phase === 'datasets') {
    if (selection.what === 'project') return eraseDatasetFiles(services, selection.project)
    const step = await eraseDataset(services, selection, cursor)
    if (step.cursor !== null) return step
    let files = 0
    for (const project of touched(selection, state)) files += await eraseUnrecordedFiles(services, project)
    return { ...step, counts: { dataset_files: files } }
  }
  if (phase === 'orphans') return eraseNextOrphans(services, touched(selection, state), cursor)
  if (phase === 'interactions' || phase === 'retrievals') return eraseFacts(services, selection, phase, cursor)
  if (phase === 'routing_decisions' || phase === 'corrections') {
    const { rows, next } = await selectRows(database, phase, selection, cursor)
    if (phase === 'corrections') await eraseItems(services, 'learning-feedback', rows)
    const count = await eraseRows(
      database,
      phase,
      rows.map(({ id }) => id),
    )
    return { counts: { [phase]: count }, cursor: next, projects: rows.map(({ project }) => project) }
  }
  if (phase === 'archives') {
    const { project } = selection
    return selection.what === 'project'
      ? eraseArchiveFiles(services, selection.project)
      : tidyArchives(services, project)
  }
  if (phase === 'archived_votes' && selection.what === 'key') return restoreVotes(services, selection, cursor)
  if (selection.what === 'project') return eraseProject(services, selection.project, phase, cursor)
  if (phase === 'conversation' && selection.what === 'conversation') {
    return { counts: await forget(services, selection.project, [selection.conversation]), cursor: null }
  }
  if (phase === 'knowledge' && selection.what === 'key') {
    const counts = await eraseWritings(services, selection)
    return { counts: counts ?? {}, cursor: counts ? 'more' : null }
  }
  if (phase === 'votes' && selection.what === 'key') {
    const { changed, credited } = await eraseVotes(database, selection, services.now())
    await syncCredit(database, storesOf(services), await votesOnItems(database, credited))
    return { counts: { votes: changed }, cursor: changed > 0 ? 'more' : null }
  }
  if (phase === 'routers') {
    for (const project of state.projects) {
      const router = await resetRouter(database, project, services.now())
      const ranking = await resetRanking(database, project, services.now())
      await services.enqueueJobs([router, ranking].filter((id) => id !== null)).catch(() => undefined)
    }
    return { counts: { routers_reset: state.projects.length }, cursor: null }
  }
  throw new Error(`A deletion has no phase ${phase}.`)
}

/** Projects affected by a deletion. */
function touched(selection: Selection, state: State): readonly string[] {
  return selection.project === null ? state.projects : [...new Set([...state.projects, selection.project])]
}

/**
 * Checks a page of one of the collections whose items represent rows. The cursor is JSON: index of project and
 * collection, and position within it.
 */
async function eraseNextOrphans(services: Services, projects: readonly string[], cursor: string): Promise<Step> {
  const [at, place] = cursor === '' ? [0, undefined] : (JSON.parse(cursor) as [number, string | undefined])
  const project = projects[Math.floor(at / ROW_COLLECTIONS.length)]
  const collection = ROW_COLLECTIONS[at % ROW_COLLECTIONS.length]
  if (project === undefined || collection === undefined) return { cursor: null }
  const { deleted, next } = await eraseOrphans(services, { project, collection }, place)
  return { counts: { knowledge_items: deleted }, cursor: JSON.stringify(next === null ? [at + 1] : [at, next]) }
}

/** Deletes interactions or retrievals, and the conversations that they belong to. */
async function eraseFacts(
  services: Services,
  selection: Selection,
  table: 'interactions' | 'retrievals',
  cursor: string,
): Promise<Step> {
  const { rows, next } = await selectRows(services.database, table, selection, cursor)
  const counts: Record<string, number> = {}
  const add = (more: Record<string, number>) => {
    for (const [kind, count] of Object.entries(more)) counts[kind] = (counts[kind] ?? 0) + count
  }
  for (const [project, own] of Map.groupBy(rows, (row) => row.project)) {
    add(
      await forget(
        services,
        project,
        own.flatMap(({ conversation }) => conversation ?? []),
      ),
    )
  }
  for (let at = 0; at < rows.length; at += TRANSACTION) {
    const chunk = rows.slice(at, at + TRANSACTION)
    const ids = chunk.map(({ id }) => id)
    if (table === 'interactions') {
      add(await eraseInteractionsWithItems(services, chunk, selection.what !== 'project'))
      // The retrieval of an interaction contains the same query, even if the retrieval has no conversation.
      const asked = chunk.flatMap(({ retrieval }) => retrieval ?? [])
      add({ retrievals: await eraseRows(services.database, 'retrievals', asked) })
    } else add({ retrievals: await eraseRows(services.database, 'retrievals', ids) })
  }
  return { counts, cursor: next, projects: table === 'interactions' ? rows.map(({ project }) => project) : [] }
}

async function forget(
  services: Services,
  project: string,
  conversations: readonly string[],
): Promise<Record<string, number>> {
  const ids = [...new Set(conversations)]
  let forgotten = 0
  for (let at = 0; at < ids.length; at += CONCURRENT) {
    const some = ids.slice(at, at + CONCURRENT)
    const had = await Promise.all(some.map((id) => services.conversations.delete(project, id)))
    forgotten += had.filter(Boolean).length
  }
  if (ids.length > 0) await eraseSummaryJobs(services.database, project, ids)
  return { conversations: forgotten }
}

async function eraseProject(services: Services, project: string, phase: string, cursor: string): Promise<Step> {
  const { database } = services
  if (phase === 'jobs') {
    const jobs = await eraseOfProject(database, 'jobs', project)
    return { counts: { jobs }, cursor: jobs > 0 ? 'more' : null }
  }
  if (phase === 'knowledge') {
    const at = Number(cursor || 0)
    const collection = COLLECTION_NAMES[at]
    if (!collection) return { cursor: null }
    const counts = { knowledge_items: 0, knowledge_documents: 0 }
    for (const store of storesOf(services)) {
      const { items, documents } = await store.clear({ project, collection })
      counts.knowledge_items += items
      counts.knowledge_documents += documents
    }
    return { counts, cursor: String(at + 1) }
  }
  if (phase !== 'tables') throw new Error(`The deletion of a project has no phase ${phase}.`)
  const counts: Record<string, number> = {}
  for (const [at, table] of [...PROJECT_TABLES.entries()].slice(Number(cursor || 0))) {
    // These name files, so they are deleted last.
    if (table === 'exports' || table === 'export_uploads') continue
    counts[table] = await eraseOfProject(database, table, project)
    // A full chunk: there may be more rows.
    if (counts[table] >= CHUNK) return { counts, cursor: String(at) }
  }
  return { counts, cursor: null }
}
