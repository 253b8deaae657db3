/**
 * Requests to the coordinator, each with a deadline of its own.
 * @module
 */

/**
 * Sends a request and returns the JSON object that came back. An answer that is not one (a login page, an empty body, half a body) is a
 * failure, since nobody knows whether the coordinator saw the request.
 * @param {import('./settings.mjs').HookSettings} settings
 * @param {string} path
 * @param {object | undefined} body posted as JSON; undefined: a GET
 * @param {{ ms: number, field: string }} expected `ms`: longest wait until the body has arrived; `field`: a field that the answer has
 * @returns {Promise<Record<string, any>>}
 * @throws Error, with `refused: true` when repeating the request would change nothing
 */
export async function ask(settings, path, body, { ms, field }) {
  const controller = new AbortController()
  let timer
  // A timer of our own: Node 20 sometimes never settles the reading of a compressed body that is aborted.
  const expired = new Promise((_, reject) => {
    timer = setTimeout(
      () => {
        reject(new Error(`no answer within ${ms} ms`))
        controller.abort()
      },
      Math.max(1, ms),
    )
  })
  try {
    return await Promise.race([request(settings, path, body, field, controller.signal), expired])
  } finally {
    clearTimeout(timer)
  }
}

async function request({ url, key }, path, body, field, signal) {
  let response
  try {
    response = await fetch(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        'accept-encoding': 'identity',
        ...(key && { 'x-api-key': key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
    })
  } catch (error) {
    throw new Error(error.cause?.code ?? error.cause?.message ?? error.message)
  }
  const answer = await response.json().catch(() => null)
  if (response.ok) {
    if (typeof answer === 'object' && answer !== null && answer[field] !== undefined) return answer
    throw new Error('the answer is not from a Hybrid Coordinator')
  }
  const error = new Error(answer?.detail ?? `HTTP ${response.status}`)
  // Only an answer of the coordinator itself settles it: a proxy's 404 may be gone tomorrow.
  const transient = response.status >= 500 || [401, 403, 408, 429].includes(response.status)
  throw Object.assign(error, { refused: !transient && typeof answer?.code === 'string', status: response.status })
}
