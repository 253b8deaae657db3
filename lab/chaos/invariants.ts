/**
 * Invariants between the answers that agents got and the stored data: nothing is lost, duplicated or added.
 * @module
 */

import { SOURCE } from './agent.ts'
import type { Ledger, StoredDocument } from './ledger.ts'

/** Sources of facts: the coordinator's database and its API. */
export interface Facts {
  readonly project: string
  readonly ledger: Ledger
  readonly query: (sql: string, ...values: unknown[]) => Promise<Record<string, unknown>[]>
  readonly get: <T>(path: string) => Promise<T>
}

/** Violated invariants, one line each. */
export async function findings(facts: Facts): Promise<string[]> {
  const parts = await Promise.all(
    [
      checkInteractions,
      checkReports,
      checkCorrections,
      checkDocuments,
      checkRetrievals,
      checkConversations,
      checkDatasets,
    ].map((check) => check(facts)),
  )
  return parts.flat()
}

async function checkInteractions({ ledger, project, query }: Facts): Promise<string[]> {
  const rows = await query(
    `SELECT i.id, i.idempotency_key, i.query, i.response, i.tokens_used, i.caller,
       (SELECT json_group_array(context) FROM (SELECT collection || '/' || item_id AS context FROM interaction_contexts
          WHERE interaction_id = i.id ORDER BY position)) AS contexts
     FROM interactions i WHERE i.project = ?`,
    project,
  )
  const stored = rows.map((row): [string, unknown] => [
    String(row.idempotency_key),
    [row.id, row.query, row.response, row.tokens_used, row.caller, row.contexts],
  ])
  const told = [...ledger.tracked].map(([key, { id, caller, input }]): [string, unknown] => [
    key,
    [id, input.query, input.response, input.tokens_used, caller, JSON.stringify(input.context_ids)],
  ])
  return compare('interaction', stored, told)
}

/** Every caller's last report is its vote; the last event is the interaction's outcome; every event has a report. */
async function checkReports({ ledger, project, query }: Facts): Promise<string[]> {
  const votes = await query(
    `SELECT v.interaction_id || ' ' || v.caller AS who, v.outcome, v.credited FROM outcome_votes v
     JOIN interactions i ON i.id = v.interaction_id WHERE i.project = ?`,
    project,
  )
  const words = new Map<string, unknown>()
  for (const { interaction, caller, outcome } of ledger.reports) {
    if (outcome !== null) words.set(`${interaction} ${caller}`, [outcome, outcome])
  }
  const found = compare(
    'vote',
    votes.map((row): [string, unknown] => [String(row.who), [row.outcome, row.credited]]),
    [...words],
  )
  const keys = new Map(ledger.reports.map((report) => [report.key, report]))
  const events = await query(
    'SELECT id, interaction_id, caller, idempotency_key FROM outcome_events WHERE project = ? ORDER BY id',
    project,
  )
  const seen = new Set<string>()
  for (const event of events) {
    const key = String(event.idempotency_key)
    const report = keys.get(key)
    if (report?.interaction !== event.interaction_id || report?.caller !== event.caller) {
      found.push(`event ${event.id} belongs to no report that was answered`)
    }
    if (seen.has(key)) found.push(`report ${key} made two events`)
    seen.add(key)
  }
  const wrong = await query(
    `SELECT i.id, i.revision, i.outcome, i.user_feedback, count(e.id) AS events, last.outcome AS last_outcome, last.user_feedback AS last_rating
     FROM interactions i LEFT JOIN outcome_events e ON e.interaction_id = i.id
     LEFT JOIN outcome_events last ON last.id = i.last_event WHERE i.project = ? GROUP BY i.id
     HAVING i.revision != count(e.id) OR i.outcome IS NOT last.outcome OR i.user_feedback IS NOT last.user_feedback`,
    project,
  )
  // A caller's first report always changes something, so it has an event.
  const first = new Set<string>()
  for (const { interaction, caller, key, outcome } of ledger.reports) {
    const who = `${interaction} ${caller}`
    if (outcome === null || first.has(who)) continue
    first.add(who)
    if (!seen.has(key)) found.push(`report ${key} left no event`)
  }
  return [...found, ...wrong.map((row) => `an interaction is not what its events say: ${JSON.stringify(row)}`)]
}

async function checkCorrections({ ledger, project, query }: Facts): Promise<string[]> {
  const rows = await query('SELECT id, idempotency_key, correction FROM corrections WHERE project = ?', project)
  return compare(
    'correction',
    rows.map((row): [string, unknown] => [String(row.idempotency_key), [row.id, row.correction]]),
    [...ledger.corrections].map(([key, { id, correction }]): [string, unknown] => [key, [id, correction]]),
  )
}

interface Page<T> {
  readonly next_cursor: string | null
  readonly items?: readonly T[]
  readonly documents?: readonly T[]
}

/** Every document is stored completely in its last version, and removed documents are gone. */
async function checkDocuments({ ledger, project, get }: Facts): Promise<string[]> {
  type Item = { path: string; key: string; fields: { code_snippet: string } }
  type Entry = { path: string; hash: string; items: number }
  const items = await pages<Item>(get, `/knowledge/items/codebase-context?project=${project}&limit=100`, 'items')
  const entries = await pages<Entry>(
    get,
    `/knowledge/documents?project=${project}&source=${SOURCE}&limit=100`,
    'documents',
  )
  const texts = Map.groupBy(items, ({ path }) => path)
  const stored = entries.map(({ path, hash, items: count }): [string, unknown] => [
    path,
    [hash, count, contentOf(texts.get(path) ?? [])],
  ])
  const kept = [...ledger.documents].filter((entry): entry is [string, StoredDocument] => entry[1] !== null)
  const told = kept.map(([path, document]): [string, unknown] => [
    path,
    [document.hash, Object.keys(document.items).length, sorted(Object.entries(document.items))],
  ])
  const paths = new Set(kept.map(([path]) => path))
  const stray = items
    .filter(({ path }) => !paths.has(path))
    .map(({ path, key }) => `item ${path} ${key} is of no document`)
  return [...compare('document', stored, told), ...stray]
}

function contentOf(items: readonly { key: string; fields: { code_snippet: string } }[]): [string, string][] {
  return sorted(items.map(({ key, fields }): [string, string] => [key, fields.code_snippet]))
}

function sorted(entries: [string, string][]): [string, string][] {
  return entries.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Every answered augmentation and decision is logged exactly once, and there are no more rows than attempts. */
async function checkRetrievals({ ledger, project, query }: Facts): Promise<string[]> {
  const found: string[] = []
  const rows = await query(
    `SELECT id, query, (SELECT json_group_array(value ->> 'context_id') FROM json_each(shown)) AS shown FROM retrievals
     WHERE project = ? AND operation = 'augment_query'`,
    project,
  )
  const byId = new Map(rows.map((row) => [String(row.id), row]))
  for (const { retrieval, query: asked, contextIds } of ledger.augmented) {
    const row = byId.get(retrieval)
    if (row?.query !== asked || row?.shown !== JSON.stringify(contextIds)) {
      found.push(
        `retrieval ${retrieval} is logged as ${JSON.stringify(row)?.slice(0, 300)}, shown was ${JSON.stringify(contextIds)}`,
      )
    }
  }
  if (rows.length > ledger.attempts.augment) {
    found.push(`${rows.length} retrievals of ${ledger.attempts.augment} attempts`)
  }
  const decisions = await query('SELECT id, query FROM routing_decisions WHERE project = ?', project)
  const known = new Map(decisions.map((row) => [String(row.id), row.query]))
  for (const [id, asked] of ledger.decisions) if (known.get(id) !== asked) found.push(`decision ${id} is not logged`)
  if (decisions.length > ledger.attempts.route)
    found.push(`${decisions.length} decisions of ${ledger.attempts.route} attempts`)
  return found
}

/** Every answered turn is in its conversation exactly once, with its number. */
async function checkConversations({ ledger, project, get }: Facts): Promise<string[]> {
  const found: string[] = []
  const talks = Map.groupBy(
    ledger.augmented.filter(({ conversation, turn }) => conversation !== null && turn !== null),
    ({ conversation }) => String(conversation),
  )
  for (const [id, told] of talks) {
    const { turns } = await get<{ turns: { turn_number: number; query: string }[] }>(
      `/session/${id}?project=${project}`,
    )
    const queries = new Set(turns.map(({ query }) => query))
    const byNumber = new Map(turns.map((turn) => [turn.turn_number, turn.query]))
    if (turns.some((turn, i) => turn.turn_number !== i + 1))
      found.push(`the turns of ${id} are not numbered one by one`)
    for (const { turn, query } of told) {
      if (turn === undefined) {
        if (!queries.has(query)) found.push(`no turn of ${id} is ${query}, which an agent was told`)
      } else if (byNumber.get(turn ?? 0) !== query)
        found.push(`turn ${turn} of ${id} is ${byNumber.get(turn ?? 0)}, told was ${query}`)
    }
    const numbers = told.flatMap(({ turn }) => turn ?? [])
    if (new Set(numbers).size !== numbers.length) found.push(`two turns of ${id} were given the same number`)
  }
  return found
}

async function checkDatasets({ ledger, project, query }: Facts): Promise<string[]> {
  const rows = await query('SELECT id, key FROM exports WHERE project = ?', project)
  const ids = new Set(rows.map(({ id }) => String(id)))
  const jobs = await query(
    "SELECT id, status, result ->> 'dataset_id' AS dataset FROM jobs WHERE kind = 'export_dataset' AND project = ?",
    project,
  )
  const datasets = new Map(jobs.map(({ id, status, dataset }) => [String(id), { status, dataset: String(dataset) }]))
  return [...ledger.exports].flatMap((id) => {
    const job = datasets.get(id)
    if (!job) return [`the job ${id} of an export is gone`]
    return job.status === 'done' && !ids.has(job.dataset) ? [`dataset ${job.dataset} is not listed`] : []
  })
}

async function pages<T>(get: Facts['get'], path: string, field: 'items' | 'documents'): Promise<T[]> {
  const all: T[] = []
  for (let cursor: string | null = null; ; ) {
    const page: Page<T> = await get(cursor === null ? path : `${path}&cursor=${encodeURIComponent(cursor)}`)
    all.push(...(page[field] ?? []))
    if (page.next_cursor === null) return all
    cursor = page.next_cursor
  }
}

/** Entries that are lost, duplicated, different, or stored without a matching answer. */
export function compare(
  name: string,
  stored: readonly (readonly [string, unknown])[],
  told: readonly (readonly [string, unknown])[],
): string[] {
  const found: string[] = []
  const expected = new Map(told.map(([key, value]) => [key, JSON.stringify(value)]))
  const seen = new Set<string>()
  for (const [key, value] of stored) {
    const text = JSON.stringify(value)
    const wanted = expected.get(key)
    if (seen.has(key)) found.push(`${name} ${key} is there twice`)
    else if (wanted === undefined) found.push(`${name} ${key} is there and nobody was told so`)
    else if (wanted !== text) found.push(`${name} ${key} is ${text.slice(0, 300)}, told was ${wanted.slice(0, 300)}`)
    seen.add(key)
  }
  for (const key of expected.keys()) if (!seen.has(key)) found.push(`${name} ${key} is lost`)
  return found
}
