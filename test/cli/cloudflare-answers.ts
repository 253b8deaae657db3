/** Requests to and answers of the stand-in for Cloudflare's HTTP API. */

/** A request, read. */
export interface ApiRequest {
  /** Where it was sent to. */
  readonly origin: string
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly bytes: Buffer
  /** The parts of a form, as text; null: the request has none. */
  readonly form: ReadonlyMap<string, string> | null
}

/** The result, and what belongs beside it in an answer. */
export interface ApiAnswer {
  readonly result: unknown
  readonly more?: object
  /** A body in place of JSON. */
  readonly raw?: Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** An error, with its HTTP status and Cloudflare's number. */
export class ApiError extends Error {
  readonly status: number
  readonly code: number

  constructor(status: number, code: number, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** A page of a list: everything on the first page, and nothing on later ones. */
export function listed(entries: readonly unknown[], query: URLSearchParams): ApiAnswer {
  const page = Number(query.get('page') ?? '1')
  const shown = page === 1 ? entries : []
  const info = { page, per_page: 1000, count: shown.length, total_count: entries.length, total_pages: 1 }
  return { result: shown, more: { result_info: info } }
}

export function notFound({ method, path }: ApiRequest): ApiError {
  return new ApiError(404, 7003, `Could not route to ${method} ${path}`)
}
