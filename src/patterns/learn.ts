/**
 * Learns patterns from scored interactions: new patterns, and evidence for or against existing ones.
 * @module
 */

import { tableInteraction } from '../archive/restore.ts'
import { contextsOf, type Interaction } from '../database/queries/interactions.ts'
import {
  addSource,
  evidenceOf,
  findPattern,
  findPatterns,
  insertPattern,
  patternsOf,
} from '../database/queries/patterns.ts'
import { itemId } from '../ids.ts'
import type { CollectionName } from '../knowledge/collections.ts'
import { prepareItem, stableJson } from '../knowledge/prepare.ts'
import { BY_RULES, patternProvenance } from '../knowledge/provenance.ts'
import type { Services } from '../services.ts'
import { dice } from '../text/similarity.ts'
import { ECHO_SHARE, echoShare } from './echo.ts'
import { type ExtractedPattern, extractByRules } from './extract.ts'
import { extractByModel } from './extract-by-model.ts'
import { budgetedModel } from './generation-budget.ts'
import { isVerified, patternFields } from './item.ts'

/** From this similarity of problems on, an interaction is evidence for an existing pattern instead of a new one. */
export const SAME_PROBLEM = 0.9
/** Number of patterns that are compared with a new one. */
const COMPARED = 20

/**
 * Learns from one revision of an interaction. Safe to repeat and to run concurrently: a pattern's id is derived from
 * its problem, an interaction is a source only once, and items are rebuilt from the sources' current outcomes. If there
 * is a local model, it writes the approach, within the daily budget. Without one, or if its answer is unusable, rules
 * extract the approach from the answer. Known problems need no call.
 * @throws BudgetSpent or CoordinatorError `engine_unavailable`
 */
export async function learnPattern(services: Services, id: string, revision: number): Promise<'done'> {
  const { database } = services
  const row = await tableInteraction(services, id)
  if (!row || row.revision !== revision) return 'done'
  const found = extractByRules(row.query, row.response)
  if (found && (await isWorthLearning(services, row))) await learn(services, row, found)
  else if (found && row.outcome === 'failure') {
    const known = await sameProblem(services, row.project, found)
    if (known !== null) await addSource(database, known, id)
  }
  for (const pattern of await patternsOf(database, id)) await refreshItem(services, pattern)
  return 'done'
}

/**
 * Whether it was reported independently as successful, is valuable, was not rated bad, and doesn't just repeat its
 * context.
 */
async function isWorthLearning(services: Services, row: Interaction): Promise<boolean> {
  if (row.outcome !== 'success' || !row.verified || (row.userFeedback ?? 0) < 0) return false
  if (row.valueScore === null || row.valueScore < services.settings.HIGH_VALUE_THRESHOLD) return false
  return echoShare(row.response, await contextTexts(services, row)) < ECHO_SHARE
}

async function learn(services: Services, row: Interaction, found: ExtractedPattern): Promise<void> {
  const { database } = services
  const known = await sameProblem(services, row.project, found)
  if (known !== null) return addSource(database, known, row.id)
  const id = itemId(row.project, found.collection, patternKey(found))
  const model = services.localModel
  const written = model && (await extractByModel(budgetedModel(services, model), row.query, row.response, found))
  const by = written ? model.name : BY_RULES
  await insertPattern(database, id, row.project, written ?? found, by, row.id, services.now())
}

/** Equal words of the problem give the same pattern, even if two jobs find it concurrently. */
function patternKey(found: Pick<ExtractedPattern, 'terms'>): string {
  return `pattern:${found.terms.join(' ')}`
}

/** Id of the known pattern with the most similar problem, at least SAME_PROBLEM; null if there is none. */
async function sameProblem(services: Services, project: string, found: ExtractedPattern): Promise<string | null> {
  const [embedding] = await services.embedder.embed([found.title], 'query')
  const response = await services.knowledge.search(
    { project, collection: found.collection },
    {
      text: found.title,
      vector: embedding?.vector ?? null,
      space: services.embedder.space,
      keyword: true,
      depth: COMPARED,
      limit: COMPARED,
    },
  )
  const own = itemId(project, found.collection, patternKey(found))
  const ids = [own, ...response.candidates.map(({ item }) => item.id)]
  const terms = new Set(found.terms)
  let best: { id: string; similarity: number } | null = null
  for (const pattern of await findPatterns(services.database, ids)) {
    const similarity = dice(terms, new Set(pattern.terms))
    if (similarity >= SAME_PROBLEM && similarity > (best?.similarity ?? 0)) best = { id: pattern.id, similarity }
  }
  return best?.id ?? null
}

/** The interaction's context as text. */
async function contextTexts(services: Services, row: Interaction): Promise<string[]> {
  const contexts = await contextsOf(services.database, row.id)
  const texts: string[] = []
  for (const [collection, items] of Map.groupBy(contexts, (context) => context.collection as CollectionName)) {
    const stored = await services.knowledge.get(
      { project: row.project, collection },
      items.map((item) => item.itemId),
    )
    for (const item of stored) if (item) texts.push(item.title, item.body)
  }
  return texts
}

/**
 * Updates a pattern's item to its current evidence, or removes it if no evidence supports it. After writing, the
 * evidence is read again, and the item is written again if it has changed.
 */
async function refreshItem(services: Services, id: string): Promise<void> {
  const { database, knowledge, embedder } = services
  const pattern = await findPattern(database, id)
  if (!pattern) return
  const scope = { project: pattern.project, collection: pattern.collection as CollectionName }
  const key = patternKey(pattern)
  // The row is read each time too: it may have been deleted with everything learnt from it.
  const present = async () => {
    const row = await findPattern(database, id)
    const evidence = row ? await evidenceOf(database, id) : []
    const fields = row && patternFields(row, evidence)
    return fields && { fields, provenance: patternProvenance(pattern.extractedBy, isVerified(evidence)) }
  }
  for (let given = await present(); ; ) {
    if (given === null) await knowledge.delete(scope, [id])
    else {
      const item = await prepareItem(pattern.project, scope.collection, { key, ...given }, embedder)
      await knowledge.upsert(scope, [item], embedder.space)
    }
    const again = await present()
    if (stableJson({ pattern: again }) === stableJson({ pattern: given })) return
    given = again
  }
}
