/**
 * The coordinator that a command uses, and messages for its failures.
 * @module
 */
import { parseUrl } from './args.ts'
import { HttpError, UnreachableError } from './http.ts'

/** Options of every command that uses a coordinator. */
export const TARGET_OPTIONS = {
  url: { type: 'string' },
  key: { type: 'string' },
  project: { type: 'string' },
} as const

/** A coordinator, its key, and a project. */
export interface Target {
  readonly url: string
  readonly key: string | undefined
  readonly project: string
}

/** The reason for a failure, and the fix. */
export class TargetError extends Error {
  override name = 'TargetError'
  readonly fix: string

  constructor(message: string, fix: string) {
    super(message)
    this.fix = fix
  }
}

/**
 * The target given by options and environment.
 * @throws UsageError for an invalid URL
 */
export function targetOf(
  values: { readonly url?: string; readonly key?: string; readonly project?: string },
  env: NodeJS.ProcessEnv,
): Target {
  return {
    url: parseUrl(values.url ?? (env.HYBRID_URL || 'http://127.0.0.1:8787'), values.url ? '--url' : 'HYBRID_URL'),
    key: values.key || env.HYBRID_API_KEY || undefined,
    project: values.project ?? 'default',
  }
}

/** Converts the error of a request to a message for the user. Returns other errors unchanged. */
export function explain(error: unknown, { url, key, project }: Target): unknown {
  if (error instanceof UnreachableError)
    return new TargetError(`${error.message}.`, 'Start it with npm run dev -- start, or name a running one with --url.')
  if (!(error instanceof HttpError)) return error
  const { hint, code } = error.problem
  if (error.status === 401)
    return new TargetError(
      key === undefined ? `${url} needs an API key.` : `${url} refuses this key.`,
      `Create one with npm run keys -- create --name my-agent --scopes read,write,learn --project ${project}, and pass it with --key.`,
    )
  if (error.status === 404 && !code) return new TargetError(`${url} is not a Hybrid Coordinator.`, 'Check --url.')
  return new TargetError(error.message, hint ?? 'Correct this, then run the command again.')
}
