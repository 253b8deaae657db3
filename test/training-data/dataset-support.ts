/** Interactions as training material, and the exported files. */
import { expect } from 'vitest'
import { Budget } from '../../src/budget.ts'
import { CoordinatorError } from '../../src/errors.ts'
import { newId } from '../../src/ids.ts'
import { generateTrainingData } from '../../src/operations/training-data/generate-training-data.ts'
import type { Services } from '../../src/services.ts'
import { type ExportResult, type ExportState, type ExportStep, exportDataset } from '../../src/training-data/export.ts'
import type { ExportSettings } from '../../src/training-data/settings.ts'
import { bindings, finish, type TestServices } from '../outcomes/support.ts'

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

/** Inserts scored interactions directly into the table. */
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
  finish<Made>(generateTrainingData, services, { project, ...input })

/** Exports with the given settings, in as many steps as its budgets require. */
export async function exportAll(
  services: Services,
  settings: ExportSettings,
  budget: () => Budget = () => new Budget(),
): Promise<ExportResult & { readonly steps: number }> {
  let state: ExportState | null = null
  const jobId = newId()
  for (let steps = 1; ; steps++) {
    const step: ExportStep = await exportDataset(services, { jobId, settings }, state, budget())
    if (step.result) return { ...step.result, steps }
    if (step.step === 'not_ready') throw new CoordinatorError('conflict', 'A deletion runs.')
    state = JSON.parse(JSON.stringify(step.state)) as ExportState
  }
}

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
