/**
 * Interactions as training material, and the files that come of them.
 */
import { expect } from 'vitest'
import { newId } from '../../src/ids.ts'
import { generateTrainingData } from '../../src/operations/training-data/generate-training-data.ts'
import { bindings, call, type TestServices } from '../outcomes/support.ts'

export interface Made {
  dataset_id: string
  dataset_path: string
  rows: number
  bytes: number
  sha256: string
  status: string
  skipped: Record<string, number>
  sheet: Record<string, unknown>
}

/** Stores scored interactions straight into the table. */
export async function seed(
  project: string,
  rows: { query?: string; response?: string; outcome?: string; score?: number | null; feedback?: number | null }[],
) {
  const ids = rows.map(() => newId())
  for (let from = 0; from < rows.length; from += 50) {
    await bindings.DB.batch(
      rows.slice(from, from + 50).map((row, i) =>
        bindings.DB.prepare(
          `INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, outcome,
             user_feedback, value_score, revision, created_at, updated_at)
           VALUES (?, ?, ?, ?, 'remote', 'm', 0, 0, '[]', ?, ?, ?, 1, 0, 0)`,
        ).bind(
          ids[from + i],
          project,
          row.query ?? `query ${from + i}`,
          row.response ?? `response ${from + i}`,
          row.outcome ?? 'success',
          row.feedback ?? null,
          row.score === undefined ? 0.9 : row.score,
        ),
      ),
    )
  }
  return ids
}

export const generate = (services: TestServices, project: string, input: object = {}) =>
  call<Made>(generateTrainingData, services, { project, ...input })

export async function linesOf(key: string): Promise<Record<string, unknown>[]> {
  const text = (await (await bindings.DATASETS.get(key))?.text()) ?? ''
  if (text !== '') expect(text.endsWith('\n')).toBe(true)
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

export async function digest(bytes: BufferSource): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
