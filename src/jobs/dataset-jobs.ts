/**
 * Exports and checks of datasets as background jobs. Each may take many runs. Its position is stored in the job's row.
 * @module
 */
import type { Budget } from '../budget.ts'
import { findDataset } from '../database/queries/exports.ts'
import { type Job, startJob } from '../database/queries/jobs.ts'
import { newId } from '../ids.ts'
import type { Services } from '../services.ts'
import { type CheckState, checkDataset } from '../training-data/check.ts'
import { presentDataset } from '../training-data/dataset-view.ts'
import { shortHash } from '../training-data/earlier.ts'
import { type ExportState, exportDataset } from '../training-data/export.ts'
import { type ExportSettings, filtersOf, nightlySettings } from '../training-data/settings.ts'
import type { JobResult, JobTask } from './job-function.ts'

/**
 * Writes the job of an export, for the caller to run or to enqueue. If the same export is in progress, returns its job.
 */
export async function startExport(services: Services, settings: ExportSettings): Promise<Job> {
  const { project } = settings
  const subject = `${project}:${await shortHash(filtersOf(settings))}`
  return startJob(
    services.database,
    { id: newId(), project, kind: 'export_dataset', subject },
    { settings },
    services.now(),
  )
}

/** Writes and enqueues the job that checks a dataset. If a check is in progress, returns its job. */
export function startCheck(
  services: Services,
  dataset: { readonly id: string; readonly project: string },
): Promise<Job> {
  return start(services, { project: dataset.project, kind: 'check_dataset', subject: dataset.id })
}

/** Writes and enqueues the job that trains a project's router. If one is waiting or running, returns that job. */
export function startRouterTraining(services: Services, project: string): Promise<Job> {
  return start(services, { project, kind: 'train_router', subject: project })
}

async function start(services: Services, job: Pick<Job, 'project' | 'kind' | 'subject'>): Promise<Job> {
  const written = await startJob(services.database, { id: newId(), ...job }, null, services.now())
  await services.enqueueJobs([written.id]).catch(() => undefined)
  return written
}

/** Runs an export job, with the settings in its state or the nightly ones. */
export async function runExport(services: Services, task: JobTask, budget: Budget): Promise<JobResult> {
  const { settings = nightlySettings(task.project, services.settings.HIGH_VALUE_THRESHOLD), at = null } = (task.state ??
    {}) as { settings?: ExportSettings; at?: ExportState | null }
  const { step, state, progress, result } = await exportDataset(services, { jobId: task.id, settings }, at, budget)
  return {
    step,
    state: { settings, at: state },
    progress,
    ...(result && {
      result: { ...presentDataset(result.dataset), status: result.created ? 'created' : 'unchanged' },
    }),
  }
}

/** Runs a check job. A dataset that was deleted in the meantime needs no check. */
export async function runCheck(services: Services, task: JobTask, budget: Budget): Promise<JobResult> {
  const dataset = await findDataset(services.database, task.subject, null)
  if (!dataset) return { step: 'done', result: { dataset_id: task.subject, error: 'The dataset was deleted.' } }
  const state = await checkDataset(services, dataset, task.state as unknown as CheckState | null, budget)
  const { from, ...found } = state
  return {
    step: from === null ? 'done' : 'more',
    state: { ...state },
    progress: { done: from ?? dataset.rows, total: dataset.rows, unit: 'rows' },
    ...(from === null && { result: { dataset_id: dataset.id, rows: dataset.rows, ...found } }),
  }
}
