/**
 * Requests to the coordinator, each with its own deadline.
 * @module
 */

/**
 * Sends a request and returns the JSON object of the answer. Any other answer (a login page, an empty or incomplete
 * body) is a failure, because it is unknown whether the coordinator received the request.
 * @param {import('./settings.mjs').HookSettings} settings
 * @param {string} path
 * @param {object | undefined} body posted as JSON; undefined: a GET
 * @param {{ ms: number, field: string }} expected `ms`: maximum wait for the complete body; `field`: a field that the
 *   answer must have
 * @returns {Promise<Record<string, any>>}
 * @throws Error, with `refused: true` if repeating the request is useless
 */
export async function ask(settings, path, body, { ms, field }) {
  const controller = new AbortController()
  let timer
  // Our own timer, because Node 20 sometimes never settles the read of a compressed body that is aborted.
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
  // Only an answer of the coordinator itself is final: a proxy's 404 may be temporary.
  const transient = response.status >= 500 || [401, 403, 408, 429].includes(response.status)
  throw Object.assign(error, { refused: !transient && typeof answer?.code === 'string', status: response.status })
}
