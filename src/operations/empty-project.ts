/**
 * A note for callers whose project is empty: usually the knowledge is in another project.
 * @module
 */
import * as z from 'zod'
import { projectsWithKnowledge } from '../database/queries/deletions.ts'
import type { Services } from '../services.ts'
import type { Caller } from './operation.ts'

/** Maximum number of projects that the note lists. */
const MAX_NAMED = 20

export const note = z
  .string()
  .optional()
  .describe('Only when the project holds no knowledge: says so, and names the projects of the caller that hold some.')

/**
 * The note for an answer without results. Returns no fields when the project has knowledge.
 * @returns fields to add to the answer
 */
export async function emptyProjectNote(
  { database }: Pick<Services, 'database'>,
  project: string,
  caller: Caller,
): Promise<{ note?: string }> {
  const projects = await projectsWithKnowledge(database, MAX_NAMED + 1)
  if (projects.includes(project)) return {}
  const empty = `The project ${JSON.stringify(project)} holds no knowledge.`
  if (caller.project !== null) return { note: `${empty} This key or connection is bound to it.` }
  if (projects.length === 0) return { note: `${empty} Nothing has been stored in any project yet.` }
  if (projects.length > MAX_NAMED)
    return { note: `${empty} More than ${MAX_NAMED} other projects do: name one as project.` }
  return {
    note: `${empty} Projects that do: ${projects.join(', ')}. Name one as project, or connect to /mcp/<project>.`,
  }
}
