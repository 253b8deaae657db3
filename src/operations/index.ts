/**
 * The table of operations: the one list that MCP, REST, OpenAPI and the documentation are made from.
 * @module
 */

import { assignVariant } from './assign-variant.ts'
import { augmentQuery } from './augment-query.ts'
import { calibrateRouting } from './calibrate-routing.ts'
import { checkDataset } from './check-dataset.ts'
import { checkHealth } from './check-health.ts'
import { checkReadiness } from './check-readiness.ts'
import { compareVariants } from './compare-variants.ts'
import { controlLearning } from './control-learning.ts'
import { createKey } from './create-key.ts'
import { deleteData } from './delete-data.ts'
import { deleteDataset } from './delete-dataset.ts'
import { deleteDocuments } from './delete-documents.ts'
import { deleteKnowledge } from './delete-knowledge.ts'
import { deleteSession } from './delete-session.ts'
import { discardJob } from './discard-job.ts'
import { estimateRouting } from './estimate-routing.ts'
import { generateTrainingData } from './generate-training-data.ts'
import { getContextItems } from './get-context-items.ts'
import { getDeletion } from './get-deletion.ts'
import { getInteraction } from './get-interaction.ts'
import { getKnowledge } from './get-knowledge.ts'
import { getSession } from './get-session.ts'
import { getStats } from './get-stats.ts'
import { getTrends } from './get-trends.ts'
import { hybridSearch } from './hybrid-search.ts'
import { importInteractions } from './import-interactions.ts'
import { ingestDocuments } from './ingest-documents.ts'
import { learningFeedback } from './learning-feedback.ts'
import { learningStats } from './learning-stats.ts'
import { listAuditLog } from './list-audit-log.ts'
import { listCollections } from './list-collections.ts'
import { listCredit } from './list-credit.ts'
import { listDatasets } from './list-datasets.ts'
import { listDocuments } from './list-documents.ts'
import { listInteractions } from './list-interactions.ts'
import { listJobs } from './list-jobs.ts'
import { listKeys } from './list-keys.ts'
import { listKnowledge } from './list-knowledge.ts'
import { listSettings } from './list-settings.ts'
import { metrics } from './metrics.ts'
import { migrateStore } from './migrate-store.ts'
import { multiTurnContext } from './multi-turn-context.ts'
import type { Operation } from './operation.ts'
import { processLearning } from './process-learning.ts'
import { rateInteraction } from './rate-interaction.ts'
import { replayRouting } from './replay-routing.ts'
import { retryJob } from './retry-job.ts'
import { revokeKey } from './revoke-key.ts'
import { routeQuery } from './route-query.ts'
import { searchContext } from './search-context.ts'
import { storeKnowledge } from './store-knowledge.ts'
import { trackInteraction } from './track-interaction.ts'
import { trainRouterNow } from './train-router.ts'
import { updateKnowledge } from './update-knowledge.ts'
import { updateOutcome } from './update-outcome.ts'

/** Every operation, in the order in which they are shown: the main loop first. */
export const OPERATIONS: readonly Operation[] = [
  augmentQuery,
  trackInteraction,
  updateOutcome,
  hybridSearch,
  routeQuery,
  estimateRouting,
  trainRouterNow,
  calibrateRouting,
  replayRouting,
  learningFeedback,
  generateTrainingData,
  searchContext,
  multiTurnContext,
  getContextItems,
  storeKnowledge,
  getKnowledge,
  updateKnowledge,
  deleteKnowledge,
  listKnowledge,
  ingestDocuments,
  listDocuments,
  deleteDocuments,
  listCollections,
  migrateStore,
  getInteraction,
  listInteractions,
  importInteractions,
  rateInteraction,
  getSession,
  deleteSession,
  listDatasets,
  checkDataset,
  deleteDataset,
  assignVariant,
  compareVariants,
  listJobs,
  retryJob,
  discardJob,
  processLearning,
  controlLearning,
  learningStats,
  listCredit,
  getStats,
  getTrends,
  metrics,
  checkHealth,
  checkReadiness,
  createKey,
  listKeys,
  revokeKey,
  listAuditLog,
  deleteData,
  getDeletion,
  listSettings,
] as unknown as readonly Operation[]
