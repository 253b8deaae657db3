/** One valid input for every operation, and the project in which it is valid. */

/** The content of a prepared project. */
export interface Prepared {
  readonly project: string
  /** Ids of items in best-practices; `spare` can be deleted. */
  readonly item: string
  readonly spare: string
  /** A scored success, and one without an outcome. */
  readonly scored: string
  readonly open: string
  readonly session: string
  readonly spareSession: string
  readonly dataset: string
  /** Id of an API key that can be revoked. */
  readonly spareKey: string
  /** Id of a deletion. */
  readonly deletion: string
  /** Id of a pending job. */
  readonly job: string
}

const COLLECTION = 'best-practices'
const QUERY = 'How do we rotate the signing keys of the release pipeline?'

/** Calls an operation with an input. */
export type Run = (name: string, input: Record<string, unknown>) => Promise<Record<string, unknown>>

/**
 * Prepares a project with knowledge, interactions and conversations. Two prepared projects differ only in ids and
 * times.
 */
export async function prepareBy(run: Run, project: string): Promise<Prepared> {
  const stored = (await run('store_knowledge', {
    project,
    collection: COLLECTION,
    items: [
      {
        key: 'signing-keys',
        fields: {
          title: 'Rotating signing keys',
          category: 'security',
          description: 'Rotate the signing keys of the release pipeline every ninety days with the rotate-keys job.',
        },
      },
      { key: 'spare', fields: { title: 'Watering the office plants', description: 'Water the ferns on Mondays.' } },
    ],
  })) as { results: { id: string }[] }
  await run('ingest_documents', { project, source: 'docs', documents: [document('guide.md')] })
  const scored = await run('track_interaction', {
    ...interaction(project),
    context_ids: [`${COLLECTION}/${stored.results[0]?.id}`],
  })
  await run('update_outcome', { interaction_id: scored.interaction_id, outcome: 'success', user_feedback: 1 })
  const open = await run('track_interaction', { ...interaction(project), query: 'Which colour is the bike shed?' })
  for (let rounds = 0; rounds < 10; rounds++) if ((await run('process_learning', { project })).ran === 0) break
  await run('generate_training_data', { project, format: 'kto' })
  while ((await run('process_learning', { project })).ran !== 0);
  const { datasets } = (await run('list_datasets', { project })) as { datasets: { dataset_id: string }[] }
  const late = await run('track_interaction', { ...interaction(project), query: 'Who waters the ferns on Mondays?' })
  const waiting = await run('update_outcome', { interaction_id: late.interaction_id, outcome: 'failure' })
  const session = await run('multi_turn_context', { project, query: QUERY })
  const spareSession = await run('multi_turn_context', { project, query: QUERY })
  const spareKey = await run('create_key', { name: 'spare', project })
  const deletion = await run('delete_data', {
    what: 'conversation',
    project,
    conversation_id: 'forgotten',
    confirm: 'forgotten',
  })
  return {
    project,
    deletion: String(deletion.deletion_id),
    item: String(stored.results[0]?.id),
    spare: String(stored.results[1]?.id),
    scored: String(scored.interaction_id),
    open: String(open.interaction_id),
    session: String(session.session_id),
    spareSession: String(spareSession.session_id),
    dataset: String(datasets[0]?.dataset_id),
    spareKey: String(spareKey.key_id),
    job: String(waiting.job_id),
  }
}

function interaction(project: string) {
  return {
    project,
    query: QUERY,
    response: 'Run the rotate-keys job:\n\n```sh\nnpx rotate-keys --all\n```\n\nThen check the audit log.',
    agent_type: 'remote',
    model_used: 'test-model',
    tokens_used: 120,
    tags: ['release'],
  }
}

function document(path: string) {
  return {
    path,
    hash: 'h1',
    items: [
      {
        key: `${path}#1`,
        fields: { file_path: path, code_snippet: 'Deploy from the main branch only.', language: 'markdown' },
      },
    ],
  }
}

/** Operations change the project in the order of this list, which is the same for every client. */
export const SAMPLES: Record<string, (prepared: Prepared) => Record<string, unknown>> = {
  augment_query: ({ project }) => ({ project, query: QUERY, token_budget: 500 }),
  track_interaction: ({ project, item }) => ({
    ...interaction(project),
    context_ids: [`${COLLECTION}/${item}`],
    idempotency_key: 'k1',
  }),
  update_outcome: ({ open }) => ({ interaction_id: open, outcome: 'partial' }),
  hybrid_search: ({ project }) => ({ project, query: QUERY, collections: [COLLECTION, 'codebase-context'], limit: 3 }),
  learning_feedback: ({ project, scored }) => ({
    project,
    query: QUERY,
    correction: 'Rotate them every thirty days.',
    interaction_id: scored,
    rating: -0.5,
  }),
  search_context: ({ project }) => ({
    project,
    query: QUERY,
    collection: COLLECTION,
    filter: { category: 'security' },
  }),
  multi_turn_context: ({ project, session }) => ({
    project,
    query: QUERY,
    session_id: session,
    context_level: 'detailed',
  }),
  get_context_items: ({ project, item, session }) => ({
    project,
    context_ids: [`${COLLECTION}/${item}`, `${COLLECTION}/none`],
    conversation_id: session,
  }),
  store_knowledge: ({ project }) => ({
    project,
    collection: 'error-solutions',
    items: [
      { key: 'e1', fields: { error_message: 'ECONNREFUSED 127.0.0.1:5432', solution: 'Start the database.' } },
      { key: 'e2', fields: { error_message: 'No solution is given.' } },
    ],
  }),
  get_knowledge: ({ project, item }) => ({ project, collection: COLLECTION, id: item }),
  update_knowledge: ({ project, item }) => ({
    project,
    collection: COLLECTION,
    id: item,
    fields: { category: 'release' },
  }),
  delete_knowledge: ({ project, spare }) => ({ project, collection: COLLECTION, id: spare }),
  list_knowledge: ({ project }) => ({ project, collection: COLLECTION, limit: 10 }),
  ingest_documents: ({ project }) => ({
    project,
    source: 'docs',
    documents: [document('guide.md'), document('new.md')],
  }),
  list_documents: ({ project }) => ({ project, source: 'docs' }),
  list_sources: ({ project }) => ({ project }),
  delete_documents: ({ project }) => ({ project, source: 'docs', paths: ['new.md', 'none.md'] }),
  list_pending_vectors: ({ project }) => ({ project, collection: COLLECTION }),
  store_vectors: ({ project, item }) => ({
    project,
    collection: COLLECTION,
    space: 'static-256-v1',
    // A vector of an earlier version of an item: ignored.
    vectors: [{ id: item, hash: 'another', vector: null }],
  }),
  list_collections: ({ project }) => ({ project }),
  get_interaction: ({ scored }) => ({ interaction_id: scored }),
  list_interactions: ({ project }) => ({ project, outcome: 'success', tags: ['release'] }),
  rate_interaction: ({ scored }) => ({ interaction_id: scored, rating: 0 }),
  get_session: ({ project, session }) => ({ project, session_id: session }),
  delete_session: ({ project, spareSession }) => ({ project, session_id: spareSession }),
  process_learning: ({ project }) => ({ project, limit: 10 }),
  check_health: () => ({}),
  check_readiness: () => ({}),
  ask_engines: ({ project }) => ({ project }),
  replay_routing: ({ project }) => ({ project }),
  list_credit: ({ project }) => ({ project }),
  list_unanswered: ({ project }) => ({ project }),
  list_projects: () => ({}),
  list_variants: ({ project }) => ({ project }),
  preview_training_data: ({ project }) => ({ project, format: 'kto' }),
  get_trends: ({ project }) => ({ project }),
  list_settings: () => ({}),
  estimate_routing: ({ project }) => ({ project, queries: [QUERY, 'What is a lease?'] }),
  train_router: ({ project }) => ({ project }),
  calibrate_routing: ({ project }) => ({ project, target_local_share: 0.5 }),
  import_interactions: ({ project }) => ({
    project,
    interactions: [
      {
        query: QUERY,
        response: 'Every thirty days.',
        agent_type: 'local',
        model_used: 'small',
        outcome: 'success',
        idempotency_key: 'imported-1',
      },
    ],
  }),
  route_query: ({ project }) => ({ project, query: QUERY, limit: 3 }),
  generate_training_data: ({ project }) => ({ project, min_value_score: 0 }),
  list_datasets: ({ project }) => ({ project }),
  check_dataset: ({ dataset }) => ({ dataset_id: dataset }),
  assign_variant: () => ({ experiment: 'tone', unit: 'user-1', variants: ['short', 'long'] }),
  control_learning: () => ({ daily_calls: 100 }),
  get_job: ({ job }) => ({ job_id: job }),
  list_jobs: ({ project }) => ({ project, status: 'pending' }),
  retry_job: ({ job }) => ({ job_id: job }),
  discard_job: ({ job }) => ({ job_id: job }),
  delete_dataset: ({ dataset }) => ({ dataset_id: dataset }),
  compare_variants: ({ project }) => ({ project, variant_a: 'short', tag_b: 'variant:long' }),
  get_stats: ({ project }) => ({ project }),
  learning_stats: ({ project }) => ({ project }),
  metrics: () => ({}),
  create_key: ({ project }) => ({
    project,
    name: 'continuous integration',
    scopes: ['read', 'write'],
    expires_in_days: 90,
  }),
  list_keys: () => ({}),
  revoke_key: ({ spareKey }) => ({ key_id: spareKey }),
  delete_data: ({ project }) => ({
    what: 'conversation',
    project,
    conversation_id: 'unheard-of',
    confirm: 'unheard-of',
  }),
  get_deletion: ({ deletion }) => ({ deletion_id: deletion }),
  list_audit_log: () => ({ limit: 5 }),
  export_state: ({ project }) => ({ what: 'items', project, collection: COLLECTION }),
  import_state: ({ project }) => ({ what: 'items', project, collection: COLLECTION }),
  migrate_store: ({ project }) => ({ project, collection: COLLECTION, from: 'embedded', to: 'embedded' }),
}
