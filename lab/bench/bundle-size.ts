/**
 * `npm run --prefix lab bundle-size`: measures the upload size of the Worker.
 * @module
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildWorker } from '../../cli/harness.ts'
import { parseArguments, reportUsage } from '../../cli/shared/args.ts'

const HELP = `Usage: npm run --prefix lab bundle-size

Builds the Worker and prints its size as Cloudflare counts it: compressed with gzip, static assets left out. Ends with 1 when it
exceeds the limit.

Options
  -h, --help   print this
`

/** Maximum allowed size, gzip, in bytes. The free plan allows 3 MB; model data is a static asset. */
const MAX_BYTES = 1_000_000

/** Runs the command. Exit codes: 0 within the limit, 1 above it, 2 for invalid arguments. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, { help: { type: 'boolean', short: 'h' } })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
  } catch (error) {
    return reportUsage(error, '--prefix lab bundle-size --')
  }
  const bytes = await sizeOfWorker()
  const kilobytes = (size: number) => `${(size / 1000).toFixed(0)} kB`
  process.stdout.write(`Worker, gzip: ${kilobytes(bytes)} (limit ${kilobytes(MAX_BYTES)})\n`)
  return bytes <= MAX_BYTES ? 0 : 1
}

/** Builds the Worker and returns its gzip size in bytes. */
async function sizeOfWorker(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-coordinator-size-'))
  try {
    await buildWorker(folder)
    let bytes = 0
    for (const name of await readdir(folder)) {
      if (/\.(js|wasm)$/.test(name)) bytes += gzipSync(await readFile(join(folder, name)), { level: 9 }).length
    }
    return bytes
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
