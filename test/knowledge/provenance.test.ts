/**
 * Every item states the provenance of its text, whoever wrote it, including items stored before provenance was
 * recorded.
 */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { buildServices } from '../../src/build-services.ts'
import { inferredProvenance } from '../../src/knowledge/provenance.ts'
import { TABLES } from '../../src/knowledge/stores/item-rows.ts'
import { addProvenance } from '../../src/knowledge/stores/provenance-column.ts'
import { toStoredItem } from '../../src/knowledge/stores/qdrant/points.ts'
import { processLearning } from '../../src/operations/administration/process-learning.ts'
import { searchContext } from '../../src/operations/context/search-context.ts'
import { importInteractions } from '../../src/operations/interactions/import-interactions.ts'
import { learningFeedback } from '../../src/operations/interactions/learning-feedback.ts'
import { trackInteraction } from '../../src/operations/interactions/track-interaction.ts'
import { updateOutcome } from '../../src/operations/interactions/update-outcome.ts'
import { ingestDocuments } from '../../src/operations/knowledge/ingest-documents.ts'
import { listKnowledge } from '../../src/operations/knowledge/list-knowledge.ts'
import { storeKnowledge } from '../../src/operations/knowledge/store-knowledge.ts'
import { updateKnowledge } from '../../src/operations/knowledge/update-knowledge.ts'
import { call, exchange } from '../outcomes/support.ts'

interface Shown {
  id: string
  key: string
  provenance: string
  fields: Record<string, unknown>
}

const services = { ...buildServices(env), enqueueJobs: async () => undefined }

async function itemsOf(project: string, collection: string, filter?: object): Promise<Shown[]> {
  const input = { project, collection, ...(filter && { filter }) }
  return (await call<{ items: Shown[] }>(listKnowledge, services, input)).items
}

const work = async (project: string) => {
  for (let i = 0; i < 4; i++) await call(processLearning, services, { project, limit: 60 })
}

describe('provenance', () => {
  it('is inferred from the content of an older item', () => {
    const cases: [Record<string, unknown>, string | null, string][] = [
      [{ code_snippet: 'x' }, 'repository', 'imported'],
      [{ description: 'x' }, null, 'human'],
      [{ description: 'x', extracted_by: 'rules' }, null, 'verified_outcome'],
      [{ description: 'x', extracted_by: 'qwen3' }, null, 'model'],
      [{ query: 'x', correction: 'y' }, null, 'human'],
      [{ query: 'x', response: 'y', outcome: 'success' }, null, 'verified_outcome'],
      [{ query: 'x', response: 'y', outcome: 'success', user_feedback: -1 }, null, 'model'],
      [{ query: 'x', response: 'y' }, null, 'model'],
    ]
    for (const [fields, source, provenance] of cases) expect(inferredProvenance(fields, source)).toBe(provenance)
  })

  it('is added once to an embedded index that was created without it', async () => {
    const object = env.KNOWLEDGE.getByName('without provenance')
    await runInDurableObject(object, (_, { storage: { sql } }) => {
      // The first write creates the tables.
      for (const statement of TABLES) sql.exec(statement)
      sql.exec("DELETE FROM facets WHERE field = 'provenance'")
      sql.exec('ALTER TABLE items DROP COLUMN provenance')
      sql.exec(
        `INSERT INTO items (id, key, source, fields, hash, passages, created_at, updated_at)
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 2500)
         SELECT 'id' || i, 'k', CASE WHEN i % 2 THEN 'repository' END,
           CASE WHEN i % 4 THEN '{"description":"d"}' ELSE '{"description":"d","extracted_by":"rules"}' END, 'h', '[]', 0, 0 FROM n`,
      )
      addProvenance(sql)
      const count = 'SELECT provenance, count(*) AS n FROM items GROUP BY provenance ORDER BY provenance'
      const expected = [
        { provenance: 'human', n: 625 },
        { provenance: 'imported', n: 1250 },
        { provenance: 'verified_outcome', n: 625 },
      ]
      expect(sql.exec(count).toArray()).toEqual(expected)
      expect(
        sql
          .exec(
            "SELECT value AS provenance, count(*) AS n FROM facets WHERE field = 'provenance' GROUP BY value ORDER BY value",
          )
          .toArray(),
      ).toEqual(expected)
      sql.exec("UPDATE items SET provenance = 'model' WHERE id = 'id1'")
      addProvenance(sql)
      expect(sql.exec("SELECT provenance FROM items WHERE id = 'id1'").one()).toEqual({ provenance: 'model' })
    })
  })

  it('of a Qdrant point that was written without it is inferred on reading', () => {
    const payload = {
      project: 'p',
      key: 'k',
      fields: { description: 'x', extracted_by: 'rules' },
      hash: 'h',
      passages: '[]',
    }
    const point = { id: 'i', payload: { ...payload, created_at: 0, updated_at: 0 } }
    expect(toStoredItem('skills-patterns', point).provenance).toBe('verified_outcome')
    const stated = { ...point, payload: { ...point.payload, provenance: 'human' } }
    expect(toStoredItem('skills-patterns', stated).provenance).toBe('human')
  })

  it('is human for stored items unless the caller states otherwise, and no caller can claim verification by an outcome', async () => {
    const project = 'provenance-stored'
    const items = [
      { key: 'plain', fields: { description: 'Water the ferns.' } },
      { key: 'own', provenance: 'model', fields: { description: 'Water the palms.' } },
      { key: 'copied', provenance: 'imported', fields: { description: 'Water the figs.' } },
      { key: 'boast', provenance: 'verified_outcome', fields: { description: 'Water the moss.' } },
    ]
    const { totals } = await call<{ totals: object }>(storeKnowledge, services, {
      project,
      collection: 'best-practices',
      items,
    })
    expect(totals).toMatchObject({ indexed: 3, rejected: 1 })
    const stored = await itemsOf(project, 'best-practices')
    expect(Object.fromEntries(stored.map(({ key, provenance }) => [key, provenance]))).toEqual({
      plain: 'human',
      own: 'model',
      copied: 'imported',
    })
    expect((await itemsOf(project, 'best-practices', { provenance: 'model' })).map(({ key }) => key)).toEqual(['own'])
    const search = { project, collection: 'best-practices', query: 'water', filter: { provenance: ['imported'] } }
    const { items: found } = await call<{ items: Shown[] }>(searchContext, services, search)
    expect(found.map(({ key, provenance }) => [key, provenance])).toEqual([['copied', 'imported']])
  })

  it('is imported for documents, human for corrections, and follows the outcomes of answers and of learnt patterns', async () => {
    const project = 'provenance-learnt'
    const document = { path: 'a.ts', hash: 'h', items: [{ key: '1', fields: { code_snippet: 'export const a = 1' } }] }
    await call(ingestDocuments, services, { project, source: 'repository', documents: [document] })
    expect((await itemsOf(project, 'codebase-context')).map(({ provenance }) => provenance)).toEqual(['imported'])

    const answer = exchange(project, {
      query: 'How do I configure and set up the reverse proxy for the release pipeline?',
      response: '1. Open the configuration.\n2. Add the upstream.\n3. Reload it.\n```sh\nnginx -s reload\n```\n'.repeat(
        3,
      ),
    })
    const { interaction_id } = await call<{ interaction_id: string }>(trackInteraction, services, answer)
    await work(project)
    const history = async () => (await itemsOf(project, 'interaction-history')).map(({ provenance }) => provenance)
    expect(await history()).toEqual(['model'])
    await call(updateOutcome, services, { interaction_id, outcome: 'success', user_feedback: 1 })
    await work(project)
    expect(await history()).toEqual(['verified_outcome'])
    const [skill] = await itemsOf(project, 'skills-patterns')
    expect(skill).toMatchObject({ provenance: 'verified_outcome', fields: { extracted_by: 'rules' } })
    await call(updateOutcome, services, { interaction_id, outcome: 'failure' })
    await work(project)
    expect(await history()).toEqual(['model'])

    await call(learningFeedback, services, { project, query: 'q', correction: 'Use the socket.', interaction_id })
    expect((await itemsOf(project, 'learning-feedback')).map(({ provenance }) => provenance)).toEqual(['human'])

    const elsewhere = { query: 'old', response: 'older', agent_type: 'remote', model_used: 'm', outcome: 'success' }
    await call(importInteractions, services, { project, interactions: [elsewhere] })
    await work(project)
    expect((await history()).sort()).toEqual(['imported', 'model'])
  })

  it('changes with the text: an edited item belongs to its editor, and no longer names its extractor', async () => {
    const project = 'provenance-edited'
    const fields = { skill_name: 'Reload', description: 'Reload the proxy.', extracted_by: 'qwen3' }
    await call(storeKnowledge, services, { project, collection: 'skills-patterns', items: [{ key: 'k', fields }] })
    const [item] = await itemsOf(project, 'skills-patterns')
    expect(item?.provenance).toBe('model')
    const change = (more: object) =>
      call<{ status: string; item: Shown }>(updateKnowledge, services, {
        project,
        collection: 'skills-patterns',
        id: item?.id,
        ...more,
      })
    expect(await change({ fields: { description: 'Reload the proxy.' } })).toMatchObject({
      status: 'unchanged',
      item: { provenance: 'model', fields },
    })
    const edited = await change({ fields: { description: 'Test, then reload.' } })
    expect(edited).toMatchObject({ status: 'updated', item: { provenance: 'human' } })
    expect(edited.item.fields).not.toHaveProperty('extracted_by')
  })
})
