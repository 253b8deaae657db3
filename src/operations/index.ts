/**
 * The table of operations. MCP, REST, OpenAPI and the documentation are all generated from it.
 * @module
 */

import { askEngines } from './administration/ask-engines.ts'
import { checkHealth } from './administration/check-health.ts'
import { checkReadiness } from './administration/check-readiness.ts'
import { controlLearning } from './administration/control-learning.ts'
import { createKey } from './administration/create-key.ts'
import { deleteData } from './administration/delete-data.ts'
import { discardJob } from './administration/discard-job.ts'
import { exportState } from './administration/export-state.ts'
import { getDeletion } from './administration/get-deletion.ts'
import { getJob } from './administration/get-job.ts'
import { getStats } from './administration/get-stats.ts'
import { getTrends } from './administration/get-trends.ts'
import { importState } from './administration/import-state.ts'
import { learningStats } from './administration/learning-stats.ts'
import { listAuditLog } from './administration/list-audit-log.ts'
import { listJobs } from './administration/list-jobs.ts'
import { listKeys } from './administration/list-keys.ts'
import { listProjects } from './administration/list-projects.ts'
import { listSettings } from './administration/list-settings.ts'
import { metrics } from './administration/metrics.ts'
import { migrateStore } from './administration/migrate-store.ts'
import { processLearning } from './administration/process-learning.ts'
import { retryJob } from './administration/retry-job.ts'
import { revokeKey } from './administration/revoke-key.ts'
import { augmentQuery } from './context/augment-query.ts'
import { deleteSession } from './context/delete-session.ts'
import { getContextItems } from './context/get-context-items.ts'
import { getSession } from './context/get-session.ts'
import { hybridSearch } from './context/hybrid-search.ts'
import { listUnanswered } from './context/list-unanswered.ts'
import { multiTurnContext } from './context/multi-turn-context.ts'
import { searchContext } from './context/search-context.ts'
import { assignVariant } from './experiments/assign-variant.ts'
import { compareVariants } from './experiments/compare-variants.ts'
import { listVariants } from './experiments/list-variants.ts'
import { getInteraction } from './interactions/get-interaction.ts'
import { importInteractions } from './interactions/import-interactions.ts'
import { learningFeedback } from './interactions/learning-feedback.ts'
import { listCredit } from './interactions/list-credit.ts'
import { listInteractions } from './interactions/list-interactions.ts'
import { rateInteraction } from './interactions/rate-interaction.ts'
import { trackInteraction } from './interactions/track-interaction.ts'
import { updateOutcome } from './interactions/update-outcome.ts'
import { deleteDocuments } from './knowledge/delete-documents.ts'
import { deleteKnowledge } from './knowledge/delete-knowledge.ts'
import { getKnowledge } from './knowledge/get-knowledge.ts'
import { ingestDocuments } from './knowledge/ingest-documents.ts'
import { listCollections } from './knowledge/list-collections.ts'
import { listDocuments } from './knowledge/list-documents.ts'
import { listKnowledge } from './knowledge/list-knowledge.ts'
import { listPendingVectors } from './knowledge/list-pending-vectors.ts'
import { listSources } from './knowledge/list-sources.ts'
import { storeKnowledge } from './knowledge/store-knowledge.ts'
import { storeVectors } from './knowledge/store-vectors.ts'
import { updateKnowledge } from './knowledge/update-knowledge.ts'
import type { Operation } from './operation.ts'
import { calibrateRouting } from './routing/calibrate-routing.ts'
import { estimateRouting } from './routing/estimate-routing.ts'
import { replayRouting } from './routing/replay-routing.ts'
import { routeQuery } from './routing/route-query.ts'
import { trainRouterNow } from './routing/train-router.ts'
import { checkDataset } from './training-data/check-dataset.ts'
import { deleteDataset } from './training-data/delete-dataset.ts'
import { generateTrainingData } from './training-data/generate-training-data.ts'
import { listDatasets } from './training-data/list-datasets.ts'
import { previewTrainingData } from './training-data/preview-training-data.ts'

/** Every operation, in documentation order: the main loop first. */
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
  previewTrainingData,
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
  listSources,
  deleteDocuments,
  listPendingVectors,
  storeVectors,
  listProjects,
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
  listVariants,
  listJobs,
  getJob,
  retryJob,
  discardJob,
  processLearning,
  controlLearning,
  learningStats,
  listCredit,
  listUnanswered,
  getStats,
  getTrends,
  metrics,
  checkHealth,
  checkReadiness,
  askEngines,
  createKey,
  listKeys,
  revokeKey,
  listAuditLog,
  deleteData,
  getDeletion,
  exportState,
  importState,
  listSettings,
] as unknown as readonly Operation[]
