/**
 * Checks the server at Qdrant's address: its version, and the causes that the client's errors don't reveal.
 * @module
 */
import * as z from 'zod'
import { isNotLetIn, isWebPage, notLetIn, WEB_PAGE } from '../../../inference/engine/http.ts'
import { EngineFailure, type FailureKind } from '../../../inference/engine/resilience.ts'
import { traceHeaders } from '../../../tracing.ts'

/** The first version with all required features: named vectors that are added later, `insert_only`, IDF per corpus. */
const OLDEST = { major: 1, minor: 19 }

const welcome = z.object({ version: z.string().regex(/^\d+\.\d+/) })

/** Failures that can also be caused by a login page or another server at the address. */
const UNCLEAR: ReadonlySet<FailureKind> = new Set(['unreachable', 'invalid', 'refused'])

export class QdrantServer {
  readonly #url: string
  readonly #headers: Readonly<Record<string, string>>
  #supported = false

  constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.#url = `${url.replace(/\/+$/, '')}/`
    this.#headers = headers
  }

  /**
   * Reads the server's version, until a supported version was seen. If the server doesn't report a version, the calls
   * themselves decide.
   * @throws EngineFailure if the version is too old
   */
  async check(signal: AbortSignal): Promise<void> {
    if (this.#supported) return
    const response = await this.#ask(signal)
    const parsed = response?.ok ? welcome.safeParse(await response.json().catch(() => null)) : null
    if (!parsed?.success) {
      await response?.body?.cancel().catch(() => undefined)
      return
    }
    const { version } = parsed.data
    const [major = 0, minor = 0] = version.split('.').map(Number)
    if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
      throw new EngineFailure(
        'refused',
        `is version ${version}, but ${OLDEST.major}.${OLDEST.minor} or later is needed`,
      )
    }
    this.#supported = true
  }

  /** The cause of a failure that the client's error does not name; null: unknown. */
  async explain({ kind }: EngineFailure, signal: AbortSignal): Promise<EngineFailure | null> {
    if (!UNCLEAR.has(kind)) return null
    const response = await this.#ask(signal)
    await response?.body?.cancel().catch(() => undefined)
    if (!response) return null
    if (isNotLetIn(response.status)) return new EngineFailure('unauthorized', notLetIn(response.status))
    return isWebPage(response) ? new EngineFailure('unauthorized', WEB_PAGE) : null
  }

  /** Requests the server's root; null if it can't be reached. */
  #ask(signal: AbortSignal): Promise<Response | null> {
    return fetch(this.#url, {
      headers: { accept: 'application/json', ...traceHeaders(), ...this.#headers },
      // The client follows redirects to login pages. This request detects them.
      redirect: 'manual',
      signal,
    }).catch(() => null)
  }
}
