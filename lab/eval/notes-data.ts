/**
 * A team's first notes, written in a realistic style, each with a question that it answers; and questions about a code
 * base that none of them answers.
 * @module
 */

export interface Note {
  readonly collection: 'best-practices' | 'error-solutions' | 'learning-feedback'
  readonly key: string
  readonly fields: Readonly<Record<string, string>>
  /** A question that the note answers. */
  readonly question: string
}

const rule = (key: string, title: string, description: string, question: string): Note => ({
  collection: 'best-practices',
  key,
  fields: { title, description },
  question,
})
const error = (key: string, error_message: string, solution: string, question: string): Note => ({
  collection: 'error-solutions',
  key,
  fields: { error_message, solution },
  question,
})
const correction = (key: string, query: string, text: string, question: string): Note => ({
  collection: 'learning-feedback',
  key,
  fields: { query, correction: text },
  question,
})

/** In storage order: the first one, the first three, … */
export const NOTES: readonly Note[] = [
  rule(
    'migrations-forward',
    'Migrations only go forward',
    'Never edit a migration that has been merged. Add a new one that corrects it; production has already run the old one.',
    'May I edit a migration that was merged last week?',
  ),
  error(
    'wrangler-2fa',
    'Authentication error [code: 10000] while running wrangler deploy',
    'The API token lacks the permission "Workers Scripts: Edit". Create a token from the template "Edit Cloudflare Workers" and export it as CLOUDFLARE_API_TOKEN.',
    'wrangler deploy fails with Authentication error [code: 10000]',
  ),
  correction(
    'release-day',
    'When do we cut a release?',
    'Releases are cut on Tuesdays, never on Fridays: the on-call rotation changes on Friday afternoon.',
    'On which day of the week do we release?',
  ),
  rule(
    'money-in-cents',
    'Money is stored in cents',
    'Amounts are integers in the smallest unit of their currency. Never use floating point for prices; format them only in the user interface.',
    'How do I store a price in the database?',
  ),
  error(
    'esbuild-platform',
    'You installed esbuild for another platform than the one you are currently using',
    'node_modules was copied from macOS into a Linux container. Delete node_modules inside the container and run npm ci there; add node_modules to .dockerignore.',
    'The container says esbuild was installed for another platform, what now?',
  ),
  rule(
    'feature-flags',
    'Every new feature hides behind a flag',
    'Ship unfinished work behind a feature flag in LaunchDarkly. Flags are removed within two sprints after full rollout.',
    'Do I need a feature flag for a half-finished feature, and when is the flag removed?',
  ),
  correction(
    'staging-url',
    'What is the address of the staging environment?',
    'Staging is at https://staging.internal.example, reachable over the VPN only. The old address staging2 has been switched off.',
    'Which address does the staging environment have?',
  ),
  error(
    'pg-too-many',
    'FATAL: sorry, too many clients already',
    'Each Lambda opened its own pool. Use the PgBouncer endpoint on port 6432 and set the pool size to 1 per function.',
    'Postgres refuses connections: sorry, too many clients already',
  ),
  rule(
    'logging-pii',
    'No personal data in logs',
    'Log user ids, never names, e-mail addresses or IP addresses. The log pipeline keeps lines for a year and is readable by contractors.',
    'Am I allowed to log the e-mail address of a user?',
  ),
  rule(
    'code-review',
    'Two approvals for payment code',
    'Changes under services/payments need two approvals, one of them from the payments team. Everything else needs one.',
    'How many approvals does a change to the payment service need?',
  ),
  rule(
    'retries',
    'Retry with jitter, five times at most',
    'Calls to partners are retried with exponential backoff and full jitter, at most five times, and only when the request is idempotent.',
    'How often should a call to a partner be retried?',
  ),
  error(
    'ts-paths',
    "Cannot find module '@app/shared' or its corresponding type declarations. ts(2307)",
    'The path alias is declared in tsconfig.base.json. Extend it in the package tsconfig and run pnpm build in packages/shared once.',
    "TypeScript cannot find module '@app/shared'",
  ),
  correction(
    'on-call',
    'Who is on call at night?',
    'Nights are covered by the platform team in Lisbon; page them through PagerDuty service "platform-night", not by phone.',
    'Whom do I page when something breaks at night?',
  ),
  rule(
    'branch-names',
    'Names of branches',
    'Branches are called <ticket>-<two or three words>, for example PAY-812-refund-webhook. The ticket number links the deployment to Jira.',
    'What should my git branch be called?',
  ),
  rule(
    'time-zones',
    'Times are UTC until they are shown',
    'Store and pass on timestamps in UTC as ISO 8601. Convert to the time zone of the customer only when rendering.',
    'In which time zone do we store timestamps?',
  ),
  error(
    'k8s-imagepull',
    'Failed to pull image: ErrImagePull, 403 Forbidden from the registry',
    'The pull secret of the namespace expired. Run make refresh-pull-secret NAMESPACE=<name>; secrets are valid for 90 days.',
    'Pods stay in ErrImagePull with 403 from our registry',
  ),
  rule(
    'design-tokens',
    'Colours come from the design tokens',
    'Use the CSS variables of @acme/tokens instead of hexadecimal colours. The linter rejects literals outside of the tokens package.',
    'Can I write a hexadecimal colour in a stylesheet?',
  ),
  correction(
    'analytics-db',
    'Can I query the production database for a report?',
    'No: reports run against the read replica analytics-ro. Long queries on the primary have locked the checkout twice.',
    'Against which database do I run a report?',
  ),
  rule(
    'dependency-updates',
    'Dependencies are updated by Renovate only',
    'Do not bump versions by hand. Renovate opens grouped pull requests every Monday; security updates come at once.',
    'Should I bump the version of a dependency myself?',
  ),
  error(
    'safari-dates',
    'RangeError: Invalid time value in Safari',
    'Safari rejects dates with a space instead of T. Parse with parseISO of date-fns, never with new Date(text).',
    'Invalid time value, but only in Safari',
  ),
  rule(
    'api-versioning',
    'Public endpoints are versioned in the path',
    'Breaking changes go to a new prefix such as /v3. The old version is served for twelve months and answers with a Deprecation header.',
    'How long do we keep an old version of the public API alive?',
  ),
  rule(
    'secrets-vault',
    'Secrets live in Vault',
    'Credentials are read from Vault at start-up by the sidecar. A .env file is for local development and never committed.',
    'Where do I put the credentials of a new third-party service?',
  ),
  correction(
    'invoice-numbering',
    'Do invoice numbers have gaps?',
    'Invoice numbers must have no gaps, the tax office checks it. Take them from the sequence service inside the same transaction.',
    'Where does an invoice get its number from?',
  ),
  rule(
    'accessibility',
    'Every dialogue traps the focus',
    'Modal dialogues keep the keyboard focus, close with Escape and give it back to the element that opened them. Use the component Modal.',
    'What must a modal do with the keyboard focus?',
  ),
  error(
    'kafka-rebalance',
    'CommitFailedException: the group has already rebalanced',
    'Processing took longer than max.poll.interval.ms. Lower max.poll.records to 50 for consumers that call the fraud service.',
    'Our Kafka consumer dies with CommitFailedException after a rebalance',
  ),
  rule(
    'flaky-tests',
    'A flaky test is quarantined the same day',
    'Move it to the quarantine suite, open a ticket for its owner, and fix or delete it within a week. Do not add retries.',
    'What do we do with a test that fails now and then?',
  ),
  correction(
    'mobile-min-version',
    'Which iOS versions do we support?',
    'The apps support the current major version of iOS and the two before it; Android from API level 28 on.',
    'Which is the oldest iOS that the app has to run on?',
  ),
  rule(
    'translations',
    'Texts are translated by key',
    'No sentence is put together from parts. Add a key in Lokalise with a screenshot; translators need three working days.',
    'How do I add a text that has to be translated?',
  ),
  error(
    'stripe-signature',
    'No signatures found matching the expected signature for payload',
    'The body was parsed before it was verified. Mount express.raw on the webhook route, above express.json.',
    'Stripe webhook: no signatures found matching the expected signature',
  ),
  rule(
    'incident-channel',
    'Incidents have a channel of their own',
    'Open #inc-<date>-<word> in Slack with /incident, name a commander, and post an update every thirty minutes.',
    'How do I announce an outage to the company?',
  ),
]

/** Questions about a code base by its developers. No note answers them. */
export const OTHER_QUESTIONS: readonly string[] = [
  'How is the query analysed before it is searched?',
  'Where are the candidates of keyword and vector search fused?',
  'Which function computes BM25?',
  'How does the inverted index follow a write?',
  'What happens when the embedder does not answer in time?',
  'Where is a request body checked against its schema?',
  'How are API keys compared without leaking their length?',
  'Which code decides between the local and the remote model?',
  'How is a conversation summarised?',
  'Where are secrets redacted from stored text?',
  'How does the queue consumer handle a message that failed?',
  'What does the nightly job delete?',
  'How are passages packed into a token budget?',
  'Which table holds the outcome of an interaction?',
  'How is the value score of an interaction computed?',
  'Where is the OpenAPI document generated?',
  'splitPassages',
  'hashTerm',
  'src/worker.ts',
  'rename the variable row to entry',
  'add a unit test for the memo',
  'why is the build red?',
  'make the button blue',
  'Explain this stack trace to me',
  'TypeError: Cannot read properties of undefined (reading "length")',
  'How do I centre a div?',
  'bump the version',
  'write a README for this folder',
  'How does the vector table quantise its rows?',
  'Where is the MCP server created?',
]
