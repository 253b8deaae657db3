import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildWorker } from '../../cli/harness.ts'
import { TRIED, tryClient } from '../clients/catalog.ts'
import { CLIENTS } from '../clients/install.ts'

/**
 * Third-party clients against a coordinator. Clients that are not installed are skipped; `npm run --prefix lab clients`
 * or LAB_CLIENTS=install installs them.
 */

const install = process.env.LAB_CLIENTS === 'install'
const folder = process.env.LAB_CLIENTS_FOLDER ?? CLIENTS
let bundle: string

beforeAll(async () => {
  bundle = await buildWorker(await mkdtemp(join(tmpdir(), 'clients-test-')))
})
afterAll(() => rm(bundle, { recursive: true, force: true }))

describe.each(TRIED)('$name $version over $over', (client) => {
  test('completes all its steps', async (context) => {
    const program = await client.find(folder, install)
    if (!program) return context.skip(`${client.name} is not installed`)
    const seen = await tryClient(client, program, bundle)
    expect(seen).toEqual(Object.fromEntries(Object.keys(seen).map((step) => [step, true])))
    expect(Object.keys(seen).length).toBeGreaterThanOrEqual(3)
  }, 1_800_000)
})
