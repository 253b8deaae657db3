/**
 * Checks the consistency of a project's tables and stores: every counter against a recount, all derived data against
 * its sources. Must run when no work is in progress.
 */
import { evidenceOf, findPattern } from '../../../src/database/queries/patterns.ts'
import { recountRollups } from '../../../src/database/queries/recount.ts'
import type { ValueParts } from '../../../src/database/schema.ts'
import { COLLECTION_NAMES, type CollectionName, contextId, isCollection } from '../../../src/knowledge/collections.ts'
import { stableJson } from '../../../src/knowledge/prepare.ts'
import type { StoredItem } from '../../../src/knowledge/stores/store.ts'
import { historyFields } from '../../../src/outcomes/history.ts'
import { correctionFields } from '../../../src/outcomes/index-correction.ts'
import { valueParts, valueScore } from '../../../src/outcomes/value-score.ts'
import { patternFields } from '../../../src/patterns/item.ts'
import { combined } from '../../../src/ranking/credit.ts'
import type { Services } from '../../../src/services.ts'
import { companionKeys } from '../../../src/training-data/datasheet.ts'
import { allCorrections, allInteractions, rowsOf } from './rows.ts'

/** Inconsistencies, one line each; empty: none. */
export async function audit(services: Services, project: string): Promise<string[]> {
  const parts = await Promise.all(
    [auditRollups, auditScores, auditCredit, auditJobs, auditItems, auditPatterns, auditVectors, auditDatasets].map(
      (check) => check(services, project),
    ),
  )
  return parts.flat()
}

async function auditRollups({ database }: Services): Promise<string[]> {
  const found = await recountRollups(database)
  return found.map(({ rollup, side, row }) => `${rollup}: only in the ${side}: ${JSON.stringify(row)}`)
}

/** Every outcome is scored at its last revision, and the score parts that can be recomputed match the formula. */
async function auditScores(services: Services, project: string): Promise<string[]> {
  const found: string[] = []
  for (const row of await allInteractions(services, project)) {
    const name = `interaction ${row.id}`
    if (row.outcome === null) {
      if (row.valueScore !== null) found.push(`${name} has a score and no outcome`)
      continue
    }
    const parts = row.valueParts
    if (row.valueScore === null || parts === null) {
      found.push(`${name} has an outcome and no score`)
      continue
    }
    const { query, response, outcome, userFeedback } = row
    const expected = valueParts(
      { query, response, outcome, userFeedback, similarities: [] },
      services.settings.VALUE_WEIGHTS,
    )
    for (const part of ['outcome', 'feedback', 'complexity'] as const satisfies (keyof ValueParts)[]) {
      if (parts[part] !== expected[part]) found.push(`${name}: ${part} ${parts[part]} instead of ${expected[part]}`)
    }
    if (Math.abs(valueScore(parts) - row.valueScore) > 1e-9) found.push(`${name}: the score is not its parts' sum`)
  }
  return found
}

/** Credit from votes and contexts: in the table per caller, in the total table, and in the store. */
async function auditCredit(services: Services, project: string): Promise<string[]> {
  const found: string[] = []
  const KINDS = ['successes', 'partials', 'failures'] as const
  const count = (name: string, kind: string, given: string) => `sum(v.outcome = '${kind}'${given}) AS ${name}`
  const tally = (given: string, prefix = '') =>
    ['success', 'partial', 'failure'].map((kind, i) => count(`${prefix}${KINDS[i]}`, kind, given)).join(', ')
  const facts = `
    FROM outcome_votes v JOIN interactions i ON i.id = v.interaction_id JOIN interaction_contexts c ON c.interaction_id = i.id
    WHERE i.project = ?1`
  const recounts = {
    context_votes: `SELECT c.collection, c.item_id, v.caller, ${tally(' AND c.given')}, ${tally(' AND NOT c.given', 'unseen_')} ${facts} GROUP BY 1, 2, 3`,
    context_credit: `SELECT c.collection, c.item_id, '' AS caller, ${tally('')} ${facts} GROUP BY 1, 2`,
  }
  for (const [table, recount] of Object.entries(recounts)) {
    const caller = table === 'context_votes' ? 'caller' : `'' AS caller`
    const unseen = table === 'context_votes' ? ', unseen_successes, unseen_partials, unseen_failures' : ''
    const stored = await rowsOf(
      services,
      `SELECT collection, item_id, ${caller}, successes, partials, failures${unseen} FROM ${table} WHERE project = ?1
         AND (successes != 0 OR partials != 0 OR failures != 0${unseen === '' ? '' : ' OR unseen_successes != 0 OR unseen_partials != 0 OR unseen_failures != 0'})`,
      project,
    )
    found.push(...difference(table, stored, await rowsOf(services, recount, project)))
  }
  const votes = Map.groupBy(
    await rowsOf(services, recounts.context_votes, project),
    (row) => `${row.collection}/${row.item_id}`,
  )
  for (const collection of COLLECTION_NAMES) {
    for (const item of await itemsOf(services, project, collection)) {
      const own = (votes.get(contextId(collection, item.id)) ?? []).map((row) => ({
        successes: Number(row.successes),
        partials: Number(row.partials),
        failures: Number(row.failures),
        unseen: {
          successes: Number(row.unseen_successes),
          partials: Number(row.unseen_partials),
          failures: Number(row.unseen_failures),
        },
      }))
      // Credit computed before a second caller voted in the project remains until the item's next vote.
      const expected = [combined(own), combined(own, true)]
      const same = expected.some((credit) => KINDS.every((kind) => Math.abs(credit[kind] - item.credit[kind]) < 1e-9))
      if (!same)
        found.push(
          `${collection}/${item.id}: the store's credit is ${JSON.stringify(item.credit)}, the votes' ${JSON.stringify(expected[0])}`,
        )
    }
  }
  return found
}

/** One job per cause, and each is done. */
async function auditJobs(services: Services, project: string): Promise<string[]> {
  const undone = await rowsOf(
    services,
    `SELECT kind, subject, status, last_error FROM jobs WHERE project = ? AND status != 'done'`,
    project,
  )
  const causes = await rowsOf(
    services,
    `SELECT 'score_interaction' AS kind, id AS subject, revision AS n FROM interactions WHERE project = ?1 AND revision > 0
     UNION ALL SELECT 'index_interaction', id, 1 FROM interactions WHERE project = ?1
     UNION ALL SELECT 'index_correction', id, 1 FROM corrections WHERE project = ?1`,
    project,
  )
  const made = await rowsOf(
    services,
    `SELECT kind, subject, count(*) AS n FROM jobs WHERE project = ?1
       AND kind IN ('score_interaction', 'index_interaction', 'index_correction') GROUP BY 1, 2`,
    project,
  )
  return [...undone.map((row) => `a job is left: ${JSON.stringify(row)}`), ...difference('jobs', made, causes)]
}

/** History and corrections in the store match their rows. */
async function auditItems(services: Services, project: string): Promise<string[]> {
  const contexts = Map.groupBy(
    await rowsOf(
      services,
      `SELECT c.interaction_id, c.collection || '/' || c.item_id AS context FROM interaction_contexts c
       JOIN interactions i ON i.id = c.interaction_id WHERE i.project = ? ORDER BY c.interaction_id, c.position`,
      project,
    ),
    (row) => String(row.interaction_id),
  )
  const history = (await allInteractions(services, project)).map((row): [string, string] => [
    row.id,
    stableJson(
      historyFields(
        row,
        (contexts.get(row.id) ?? []).map(({ context }) => String(context)),
      ),
    ),
  ])
  const corrections = (await allCorrections(services, project)).map((row): [string, string] => [
    row.id,
    stableJson(correctionFields(row)),
  ])
  const found: string[] = []
  for (const [collection, expected] of [
    ['interaction-history', history],
    ['learning-feedback', corrections],
  ] as const) {
    const items = await itemsOf(services, project, collection)
    const stored = items.map(({ key, fields }) => ({ key, fields: stableJson(fields) }))
    found.push(
      ...difference(
        collection,
        stored,
        expected.map(([key, fields]) => ({ key, fields })),
      ),
    )
  }
  return found
}

/** The item of every pattern matches its current evidence. */
async function auditPatterns(services: Services, project: string): Promise<string[]> {
  const found: string[] = []
  for (const { id } of await rowsOf(services, 'SELECT id FROM patterns WHERE project = ?', project)) {
    const pattern = await findPattern(services.database, String(id))
    if (!pattern) continue
    const expected = patternFields(pattern, await evidenceOf(services.database, pattern.id))
    const scope = { project, collection: pattern.collection as CollectionName }
    const [item] = await services.knowledge.get(scope, [pattern.id])
    const [stored, wanted] = [item ? stableJson(item.fields) : null, expected ? stableJson(expected) : null]
    if (stored !== wanted) found.push(`pattern ${pattern.id} is stored as ${stored}, its evidence says ${wanted}`)
  }
  return found
}

/** Every item is embedded in the space of the current model. */
async function auditVectors({ knowledge, embedder }: Services, project: string): Promise<string[]> {
  const found: string[] = []
  for (const collection of COLLECTION_NAMES) {
    const { items, withVector, space } = await knowledge.statistics({ project, collection })
    if (withVector !== items) found.push(`${collection}: ${withVector} of ${items} items have a vector`)
    if (items > 0 && space?.name !== embedder.space.name) found.push(`${collection} is in the space ${space?.name}`)
  }
  return found
}

/** Every listed dataset is in R2 as described, with its companion files. */
async function auditDatasets(services: Services, project: string): Promise<string[]> {
  const found: string[] = []
  for (const row of await rowsOf(services, 'SELECT key, bytes, rows, sha256 FROM exports WHERE project = ?', project)) {
    const key = String(row.key)
    const content = await (await services.datasets.get(key))?.bytes()
    if (!content) {
      found.push(`dataset ${key} is not in R2`)
      continue
    }
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content)).toHex()
    const lines = new TextDecoder().decode(content).split('\n').length - 1
    if (digest !== row.sha256 || content.byteLength !== row.bytes || lines !== row.rows) {
      found.push(
        `dataset ${key} has ${lines} rows, ${content.byteLength} bytes, hash ${digest}; noted is ${JSON.stringify(row)}`,
      )
    }
    for (const companion of Object.values(companionKeys(key))) {
      if (!(await services.datasets.head(companion))) found.push(`${companion} is not in R2`)
    }
  }
  return found
}

async function itemsOf({ knowledge }: Services, project: string, collection: CollectionName): Promise<StoredItem[]> {
  if (!isCollection(collection)) return []
  const items: StoredItem[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await knowledge.list({ project, collection }, { limit: 100, ...(cursor !== undefined && { cursor }) })
    items.push(...page.entries)
    if (page.nextCursor === null) return items
    cursor = page.nextCursor
  }
}

/** Text with its long fractions rounded: Qdrant's JSON parser may change the last digit of a number. */
const rounded = (text: string) => text.replace(/\d+\.\d{13,}/g, (number) => Number(number).toPrecision(12))

/** Rows on only one side. Both sides have the same columns. */
function difference(name: string, stored: readonly object[], expected: readonly object[]): string[] {
  const text = (row: object) => rounded(stableJson(row as Record<string, unknown>))
  const left = stored.map(text)
  const right = expected.map(text)
  const [inLeft, inRight] = [new Set(left), new Set(right)]
  const twice = left.filter((row, i) => left.indexOf(row) !== i)
  return [
    ...left.filter((row) => !inRight.has(row)).map((row) => `${name} holds ${row.slice(0, 300)}`),
    ...right.filter((row) => !inLeft.has(row)).map((row) => `${name} lacks ${row.slice(0, 300)}`),
    ...twice.map((row) => `${name} holds twice ${row.slice(0, 300)}`),
  ]
}
