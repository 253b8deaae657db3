/**
 * A client for the coordinator's REST API.
 * @module
 */

const STORED_KEY = 'hybrid-coordinator-key'

/** An error answer: problem+json (RFC 9457). */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `The coordinator answered with status ${status}.`)
    this.status = status
    this.hint = problem.hint ?? ''
  }
}

let askForKey = async () => {}

/** @param {(wrong: boolean) => Promise<void>} ask called when a key is needed; resolves when one was entered */
export function onKeyWanted(ask) {
  askForKey = ask
}

export function keepKey(key, remember) {
  sessionStorage.setItem(STORED_KEY, key)
  if (remember) localStorage.setItem(STORED_KEY, key)
}

export function storedKey() {
  return sessionStorage.getItem(STORED_KEY) ?? localStorage.getItem(STORED_KEY)
}

function forgetKey() {
  sessionStorage.removeItem(STORED_KEY)
  localStorage.removeItem(STORED_KEY)
}

/** Sends a request. Asks for a key if one is needed, once for all waiting requests. */
export async function send(method, path, body = method === 'POST' ? {} : undefined) {
  for (;;) {
    const key = storedKey()
    const response = await fetch(path, {
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key && { 'x-api-key': key }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    }).catch(() => {
      throw new ApiError(0, { detail: 'The coordinator cannot be reached.' })
    })
    if (response.status === 401) {
      // Another request may have obtained a new key in the meantime.
      if (storedKey() !== key) continue
      if (key) forgetKey()
      await wantKey(key !== null)
      continue
    }
    const answer = await response.json().catch(() => ({}))
    if (response.ok || (response.status === 503 && path === '/ready')) return answer
    throw new ApiError(response.status, answer)
  }
}

let wanted = null

function wantKey(wrong) {
  wanted ??= askForKey(wrong).finally(() => {
    wanted = null
  })
  return wanted
}

export const get = (path, query = {}) => {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value))
  }
  return send('GET', search.size > 0 ? `${path}?${search}` : path)
}
export const post = (path, body) => send('POST', path, body)
export const patch = (path, body) => send('PATCH', path, body)
export const remove = (path) => send('DELETE', path)

/**
 * Reads server-sent events until the server ends them.
 * @param {(data: any) => void} take receives the parsed data of each event
 */
export async function events(path, query, signal, take) {
  const key = storedKey()
  const headers = { accept: 'text/event-stream', ...(key && { 'x-api-key': key }) }
  const response = await fetch(`${path}?${new URLSearchParams(query)}`, { headers, signal })
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})))
  let text = ''
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    text += value
    const blocks = text.split('\n\n')
    text = blocks.pop()
    for (const block of blocks) if (block.startsWith('data: ')) take(JSON.parse(block.slice(6)))
  }
}

/** Fetches a file with the key and passes it to the browser's downloads. */
export async function download(path, name) {
  const key = storedKey()
  const response = await fetch(path, { headers: key ? { 'x-api-key': key } : {} })
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})))
  const url = URL.createObjectURL(await response.blob())
  const link = document.createElement('a')
  link.href = url
  link.download = name
  document.body.append(link)
  link.click()
  link.remove()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

/**
 * Waits for a background job to end and returns its result.
 * @param {(progress: { done: number, total: number | null, unit: string }) => void} [report] called with the progress
 * @throws {ApiError} if it failed permanently
 */
export async function resultOf({ job_id: id }, report = () => {}) {
  for (;;) {
    const job = await get(`/learning/jobs/${id}`)
    if (job.status === 'done') return job.result
    if (job.status === 'dead' || job.status === 'discarded') {
      throw new ApiError(0, { detail: `The job failed: ${job.last_error ?? 'it was discarded'}.` })
    }
    if (job.progress) report(job.progress)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
