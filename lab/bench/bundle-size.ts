/**
 * `npm run --prefix lab bundle-size`: how large the Worker is when it is uploaded.
 * @module
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { buildWorker } from '../../cli/harness.ts'

/** Largest allowed sizes, gzip, in bytes. */
const LIMITS = { code: 1_000_000, all: 3_000_000 }

/** Builds the Worker and prints its size with and without model data; 1 when a limit is exceeded. */
export async function run(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'hybrid-coordinator-size-'))
  try {
    await buildWorker(folder)
    let code = 0
    let data = 0
    for (const name of await readdir(folder)) {
      if (!/\.(js|wasm|bin)$/.test(name)) continue
      const size = gzipSync(await readFile(join(folder, name)), { level: 9 }).length
      if (name.endsWith('.bin')) data += size
      else code += size
    }
    const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(0)} kB`
    process.stdout.write(
      `Worker, gzip: ${kilobytes(code)} without model data (limit ${kilobytes(LIMITS.code)}), ` +
        `${kilobytes(code + data)} with it (limit ${kilobytes(LIMITS.all)})\n`,
    )
    return code <= LIMITS.code && code + data <= LIMITS.all ? 0 : 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
