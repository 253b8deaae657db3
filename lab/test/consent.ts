/**
 * Acts like a person on the sign-in page: reads it, pastes the key, allows the selected scopes. When run as a program,
 * it acts as a browser: `node consent.ts <url>`, with the key in HYBRID_TEST_KEY.
 * @module
 */

/**
 * Allows a sign-in.
 * @param url the address that the client opened
 * @returns the scopes offered on the page
 */
export async function allow(url: string, key: string): Promise<string[]> {
  const page = await fetch(url)
  const html = await page.text()
  if (page.status !== 200) throw new Error(`The sign-in page answered ${page.status}: ${html}`)
  const scopes = [...html.matchAll(/name="scope" value="(\w+)" checked/g)].map(([, scope = '']) => scope)
  const form = new FormData()
  form.set('handle', /name="handle" value="([^"]+)"/.exec(html)?.[1] ?? '')
  form.set('key', key)
  form.set('decision', 'approve')
  for (const scope of scopes) form.append('scope', scope)
  const cookie = (page.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  const { origin, pathname } = new URL(url)
  const decided = await fetch(origin + pathname, {
    method: 'POST',
    body: form,
    headers: { cookie },
    redirect: 'manual',
  })
  if (decided.status !== 302) throw new Error(`The decision was answered ${decided.status}: ${await decided.text()}`)
  await follow(decided.headers.get('location') ?? '')
  return scopes
}

/** Returns to the client. Some clients open the browser before they listen; a person is slower than that. */
async function follow(location: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(location).catch((error: unknown) => {
      if (attempt === 50) throw error
      return null
    })
    if (response) return void (await response.text())
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const [, program = '', url] = process.argv
if (program.endsWith('consent.ts') && url) await allow(url, process.env.HYBRID_TEST_KEY ?? '')
