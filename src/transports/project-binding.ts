/**
 * Binds a connection to a project: a client's configuration can name the project, so that calls don't have to.
 * @module
 */
import { CoordinatorError, invalidInput } from '../errors.ts'
import { projectName } from '../operations/fields.ts'
import type { Caller } from '../operations/operation.ts'

/** Header that binds a connection to a project, on every surface. */
export const PROJECT_HEADER = 'X-Hybrid-Project'

const PROJECT_PATH = /^\/mcp\/([^/]+)\/?$/

/**
 * The caller, bound to the project in `/mcp/<project>` or in the header: it is the default project of calls, and other
 * projects are rejected. A binding can only restrict a key.
 * @throws CoordinatorError `invalid_input` for an invalid project name or two different names; `forbidden` if the key
 *   is bound to another project
 */
export function boundToProject(caller: Caller, path: string, headers: Headers): Caller {
  const named = PROJECT_PATH.exec(path)?.[1]
  const inPath = named === undefined ? null : checked(decoded(named), 'project')
  const given = headers.get(PROJECT_HEADER)?.trim()
  const inHeader = given ? checked(given, PROJECT_HEADER) : null
  if (inPath !== null && inHeader !== null && inPath !== inHeader) {
    throw invalidInput(PROJECT_HEADER, `The path names the project ${inPath}, the header ${inHeader}.`, {
      hint: 'Name the project once.',
    })
  }
  const project = inPath ?? inHeader
  if (project === null || project === caller.project) return caller
  if (caller.project === null) return { ...caller, project }
  throw new CoordinatorError('forbidden', `This key is bound to the project ${caller.project}.`, {
    field: inPath === null ? PROJECT_HEADER : 'project',
    hint: 'Connect to that project, or use a key for the other one.',
  })
}

function checked(name: string, field: string): string {
  const { success } = projectName.safeParse(name)
  if (success) return name
  throw invalidInput(field, 'A project is named by 1 to 64 letters, digits, dots, dashes or underscores.', {
    hint: 'Correct the name in the configuration of the client.',
  })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
