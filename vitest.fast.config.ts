import { mergeConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** A file or two of every room: `npm run test:fast` ends within 90 seconds on two idle cores. `npm test` runs everything. */
const FAST = {
  workers: [
    'archive/archive',
    'conversation/summary',
    'database/project-scope',
    'erasure/archive-erasure',
    'experiments/statistics',
    'inference/resilience',
    'jobs/control',
    'knowledge/passages',
    'knowledge/stores/top-k',
    'outcomes/value-score',
    'outcomes/voters',
    'patterns/patterns',
    'ranking/fusion',
    'retrieval/diversity',
    'retrieval/unanswered',
    'routing/search-mode',
    'security/recall',
    'security/redact',
    'text/index-terms',
    'text/query-analysis',
    'training-data/whole-answers',
    'transports/lenient',
    'transports/mcp',
  ],
  node: ['architecture.node', 'cli/chunk', 'cli/encoding', 'cli/shared', 'fuzz/pool.node', 'integrations/turn.node'],
}

const files = (names: readonly string[]) => names.map((name) => `test/${name}.test.ts`)

const [workers, , node] = base.test?.projects ?? []
export default mergeConfig(
  {},
  {
    test: {
      ...base.test,
      projects: [
        { ...(workers as object), test: { ...(workers as { test: object }).test, include: files(FAST.workers) } },
        { ...(node as object), test: { ...(node as { test: object }).test, include: files(FAST.node) } },
      ],
    },
  },
)
