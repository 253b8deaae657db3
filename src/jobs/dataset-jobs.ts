/**
 * Exports and checks of datasets as background jobs. Either may take many runs; where it stands is in the job's row.
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

/** Writes the job of an export, for the caller to run or to enqueue; while the same is being exported, that job is returned. */
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

/** Writes the job that checks a dataset and tells the queue; while it is being checked, that job is returned. */
export function startCheck(
  services: Services,
  dataset: { readonly id: string; readonly project: string },
): Promise<Job> {
  return start(services, { project: dataset.project, kind: 'check_dataset', subject: dataset.id })
}

/** Writes the job that trains the router of a project and tells the queue; while one waits or runs, that one is returned. */
export function startRouterTraining(services: Services, project: string): Promise<Job> {
  return start(services, { project, kind: 'train_router', subject: project })
}

async function start(services: Services, job: Pick<Job, 'project' | 'kind' | 'subject'>): Promise<Job> {
  const written = await startJob(services.database, { id: newId(), ...job }, null, services.now())
  await services.enqueueJobs([written.id]).catch(() => undefined)
  return written
}

/** The job of an export: of the settings in its state, or of the night's. */
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

/** The job of a check. A dataset that is deleted meanwhile has nothing to check. */
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
