/**
 * Which project a connection belongs to: a client's configuration can name one, so that no call has to.
 * @module
 */
import { CoordinatorError, invalidInput } from '../errors.ts'
import { projectName } from '../operations/fields.ts'
import type { Caller } from '../operations/operation.ts'

/** Header by which a connection is bound to a project, on every surface. */
export const PROJECT_HEADER = 'X-Hybrid-Project'

const PROJECT_PATH = /^\/mcp\/([^/]+)\/?$/

/**
 * The caller, bound to the project that the request names by `/mcp/<project>` or the header: calls that name none mean it, and
 * others are refused. A binding only narrows what the key may do.
 * @throws CoordinatorError `invalid_input` for a name that no project can have or two names that differ; `forbidden` when the key is
 * bound to another project
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
