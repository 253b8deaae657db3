import { availableParallelism } from 'node:os'
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** Variables of the environment that are set. */
const variables = (...names: string[]) =>
  Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))

const onQdrant = Boolean(process.env.QDRANT_URL)
/** Ends what hangs. No test depends on being fast: a busy machine takes twenty times as long. */
const TIMEOUT_MS = 1_800_000

/** Runs tests inside workerd with the bindings of wrangler.toml. */
const workerd = () =>
  cloudflareTest(async () => ({
    wrangler: { configPath: './wrangler.toml' },
    // Tests that don't draw hold-outs themselves must not meet one by chance; a line for every request would bury the rest.
    miniflare: {
      bindings: {
        ERASURE_SCHEDULES: process.env.ERASURE_SCHEDULES ?? '',
        TEST_MIGRATIONS: await readD1Migrations('./migrations'),
        HOLD_OUT_SHARE: '0',
        LOG_LEVEL: 'warn',
        // The word table answers at once; what is about the sentence embedder opens it itself.
        EMBEDDER: 'static',
        // Set: all knowledge of all tests is kept there.
        ...variables('QDRANT_URL', 'QDRANT_API_KEY'),
      },
    },
  }))

/**
 * Three projects: `workers` runs inside workerd; `isolate` too, with a process for each file, for tests of what an isolate
 * keeps in memory; `node` runs what is a program of its own (the command line) or needs a compiler of schemas that workerd
 * forbids.
 */
export default defineConfig({
  test: {
    // Each worker needs some 400 MB.
    maxWorkers: Math.min(4, availableParallelism()),
    testTimeout: TIMEOUT_MS,
    hookTimeout: TIMEOUT_MS,
    teardownTimeout: 120_000,
    reporters: ['default', ['json', { outputFile: 'test-results.json' }]],
    projects: [
      {
        plugins: [workerd()],
        test: {
          name: 'workers',
          include: ['test/**/*.test.ts'],
          exclude: ['test/cli/**', 'test/**/*.node.test.ts', 'test/**/*.isolate.test.ts'],
          setupFiles: ['./test/setup.ts'],
          // One workerd process a core instead of one a file; test/setup.ts removes what a file leaves. With a Qdrant server, each
          // file has its own collections there, and so its own process.
          isolate: onQdrant,
        },
      },
      {
        plugins: [workerd()],
        test: { name: 'isolate', include: ['test/**/*.isolate.test.ts'], setupFiles: ['./test/setup.ts'] },
      },
      {
        test: {
          name: 'node',
          environment: 'node',
          include: ['test/cli/**/*.test.ts', 'test/**/*.node.test.ts'],
        },
      },
    ],
  },
})
