/**
 * Trains a project's router through the API, as a background job.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpClient } from '../cli/harness.ts'

/**
 * Trains the router of a project, and waits until it is trained.
 * @throws Error if the training fails permanently
 */
export async function trainRouter(http: HttpClient, project: string): Promise<void> {
  const { job_id: id } = await http.post<{ job_id: string }>('/routing/train', { project })
  for (;;) {
    const { status } = await http.get<{ status: string }>(`/learning/jobs/${id}`)
    if (status === 'done') return
    if (status === 'dead') throw new Error('The router could not be trained.')
    await sleep(500)
  }
}
