import * as z from 'zod'
import { redactionFigures } from '../../database/queries/redactions.ts'
import { learningFigures, usageFigures } from '../../database/queries/statistics.ts'
import { JOB_KIND_NAMES } from '../../jobs/job-kinds.ts'
import { REDACTION_KINDS } from '../../security/redact.ts'
import { operation, READS } from '../operation.ts'
import { type Metric, prometheusText } from './prometheus.ts'

/** Allowed label values. Everything else is reported as `other`, so that callers can't create new time series. */
const ROUTES = ['sql', 'semantic', 'keyword', 'hybrid']
const BACKENDS = ['local', 'remote', 'none']
const JOB_STATUSES = ['pending', 'running', 'done', 'dead']

/** Returns counters in the Prometheus format. */
export const metrics = operation({
  name: 'metrics',
  group: 'administration',
  title: 'Prometheus metrics',
  description:
    'Get counters of interactions, tokens, routing, background jobs and datasets in the Prometheus text format.',
  scope: 'read',
  annotations: READS,
  http: [{ method: 'GET', path: '/metrics', as: 'text/plain; version=0.0.4; charset=utf-8' }],
  input: z.strictObject({}),
  output: z.object({ text: z.string().describe('Prometheus text exposition format 0.0.4.') }),
  async run(services, _, caller) {
    const threshold = services.settings.HIGH_VALUE_THRESHOLD
    const [usage, learning, redactions] = await Promise.all([
      usageFigures(services.database, caller.project),
      learningFigures(services.database, caller.project, threshold),
      redactionFigures(services.database, caller.project),
    ])
    const single = (name: string, type: Metric['type'], help: string, value: number | null): Metric => ({
      name: `hybrid_coordinator_${name}`,
      type,
      help,
      samples: value === null ? [] : [{ value }],
    })
    const oldest = learning.oldestPendingAt === null ? 0 : (services.now() - learning.oldestPendingAt) / 1000
    const text = prometheusText([
      {
        name: 'hybrid_coordinator_interactions',
        type: 'gauge',
        help: 'Tracked interactions by outcome; unknown: not reported yet.',
        samples: Object.entries(usage.outcomes).map(([outcome, value]) => ({ labels: { outcome }, value })),
      },
      {
        name: 'hybrid_coordinator_interactions_by_agent',
        type: 'gauge',
        help: 'Tracked interactions by the kind of agent that answered.',
        samples: usage.byAgent.map(({ agent, count }) => ({ labels: { agent_type: agent }, value: count })),
      },
      single('tokens_used', 'gauge', 'Tokens of tracked interactions as callers reported them.', usage.tokensUsed),
      single('augmentations', 'gauge', 'Queries that context was looked up for.', usage.retrievals.count),
      single('context_tokens_added', 'gauge', 'Tokens of context that were sent.', usage.retrievals.tokensAdded),
      single('context_tokens_whole', 'gauge', 'Tokens of the same items sent whole.', usage.retrievals.tokensWhole),
      {
        name: 'hybrid_coordinator_routing_decisions',
        type: 'gauge',
        help: 'Routed queries by route and backend.',
        samples: bounded(usage.routing, ({ route, backend }) => ({
          route: ROUTES.includes(route) ? route : 'other',
          backend: BACKENDS.includes(backend) ? backend : 'other',
        })),
      },
      {
        name: 'hybrid_coordinator_jobs',
        type: 'gauge',
        help: 'Background jobs by kind and status.',
        samples: bounded(learning.jobs, ({ kind, status }) => ({
          kind: JOB_KIND_NAMES.some((name) => name === kind) ? kind : 'other',
          status: JOB_STATUSES.includes(status) ? status : 'other',
        })),
      },
      single('oldest_job_age_seconds', 'gauge', 'Age of the longest waiting job; 0 when none waits.', oldest),
      single('scored_interactions', 'gauge', 'Interactions with a value score.', learning.scored),
      single('mean_value_score', 'gauge', 'Mean value score, 0 to 1.', learning.meanValueScore),
      single('high_value_interactions', 'gauge', 'Interactions that reached HIGH_VALUE_THRESHOLD.', learning.highValue),
      single('corrections', 'gauge', 'Corrections received.', learning.corrections),
      {
        name: 'hybrid_coordinator_redactions',
        type: 'gauge',
        help: 'Secrets and private spans that were taken out before storage, by kind.',
        samples: redactions
          .filter(({ kind }) => REDACTION_KINDS.includes(kind))
          .map(({ kind, count }) => ({ labels: { kind }, value: count })),
      },
      single('datasets', 'gauge', 'Fine-tuning datasets stored.', learning.datasets.count),
      single('dataset_rows', 'gauge', 'Rows of all stored datasets.', learning.datasets.rows),
    ])
    return { text }
  },
})

/** Samples with labels from fixed sets. Counts with equal labels are summed. */
function bounded<T extends { count: number }>(rows: readonly T[], labelsOf: (row: T) => Record<string, string>) {
  const sums = new Map<string, { labels: Record<string, string>; value: number }>()
  for (const row of rows) {
    const labels = labelsOf(row)
    const key = JSON.stringify(labels)
    const known = sums.get(key)
    sums.set(key, { labels, value: (known?.value ?? 0) + row.count })
  }
  return [...sums.values()]
}
