import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** Tests that need a dependency of the lab: a browser, official clients, other engines. */
export default defineConfig({
  test: {
    // Ends what hangs.
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    teardownTimeout: 120_000,
    reporters: ['default', ['json', { outputFile: 'test-results.json' }]],
    projects: [
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: '../wrangler.toml' },
            miniflare: {
              bindings: {
                TEST_MIGRATIONS: await readD1Migrations('../migrations'),
                EMBEDDER: 'static',
                HOLD_OUT_SHARE: '0',
                LOG_LEVEL: 'warn',
              },
            },
          })),
        ],
        test: {
          name: 'lab-workers',
          include: ['test/**/*.workers.test.ts'],
          setupFiles: ['../test/setup.ts'],
        },
      },
      {
        test: {
          name: 'lab-node',
          environment: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['**/*.workers.test.ts'],
        },
      },
    ],
  },
})
