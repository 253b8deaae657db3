/**
 * Entry of the lab: `npm run --prefix lab <command> -- [arguments]`. The lab measures the product from the outside.
 * @module
 */
import { runCommand } from '../cli/commands.ts'

process.exitCode = await runCommand(
  {
    title: 'Hybrid Coordinator: laboratory',
    prefix: 'npm run --prefix lab',
    commands: {
      bench: { summary: 'measure the cost of every hot path beside bare code', load: () => import('./bench/bench.ts') },
      'bench:cold': {
        summary: 'measure the first request after a start',
        load: () => import('./bench/cold.ts'),
      },
      'bench:dashboard': {
        summary: 'measure the first paint of the overview',
        load: () => import('./bench/dashboard.ts'),
      },
      'bench:peers': { summary: 'measure search beside other engines', load: () => import('./bench/peers.ts') },
      'bench:storage': {
        summary: 'measure the size of interactions and items',
        load: () => import('./bench/storage.ts'),
      },
      'bench:tokens': {
        summary: 'count what tools and results cost a model, beside other memory servers',
        load: () => import('./bench/tokens.ts'),
      },
      'bench:versions': {
        summary: 'compare what augment_query costs in two versions',
        load: () => import('./bench/versions.ts'),
      },
      budgets: {
        summary: 'measure what operations and jobs use of an invocation',
        load: () => import('./budgets.ts'),
      },
      'bundle-size': { summary: 'print the size of the Worker', load: () => import('./bench/bundle-size.ts') },
      chaos: {
        summary: 'run a busy hour with every fault, then audit the data',
        load: () => import('./chaos/chaos.ts'),
      },
      clients: {
        summary: 'start third-party clients and agents against a coordinator',
        load: () => import('./clients/clients.ts'),
      },
      'commit-set': {
        summary: 'make a set of code questions from the history of a repository',
        load: () => import('./eval/commit-set.ts'),
      },
      conformance: { summary: 'run the MCP conformance suite', load: () => import('./conformance/conformance.ts') },
      'engines:extraction': {
        summary: 'measure what is kept of what a chat model extracts',
        load: () => import('./engines/extraction.ts'),
      },
      'engines:findings': {
        summary: 'ask again what real engines once brought to light',
        load: () => import('./engines/findings.ts'),
      },
      'engines:jobs': {
        summary: 'kill Qdrant in the middle of each kind of background job',
        load: () => import('./engines/jobs.ts'),
      },
      'engines:latency': {
        summary: 'measure search on a Qdrant server beside the embedded store',
        load: () => import('./engines/latency.ts'),
      },
      'engines:llama': {
        summary: 'kill and pause llama.cpp while the jobs that need it run',
        load: () => import('./engines/llama-faults.ts'),
      },
      'engines:slow': {
        summary: 'measure how a slow embedding server gets done',
        load: () => import('./engines/slow.ts'),
      },
      'eval:abstention': {
        summary: 'measure answers to questions that nothing answers',
        load: () => import('./eval/abstention.ts'),
      },
      'eval:code': { summary: 'measure search on questions about code bases', load: () => import('./eval/code.ts') },
      'eval:conversation': {
        summary: 'measure what a conversation saves over independent calls',
        load: () => import('./eval/conversation.ts'),
      },
      'eval:embedders': {
        summary: 'measure search with each embedder',
        load: () => import('./eval/embedders.ts'),
      },
      'eval:ingestion': {
        summary: 'prove that nothing of real repositories is missing',
        load: () => import('./eval/ingestion/ingestion.ts'),
      },
      'eval:hostile-key': {
        summary: 'measure what one hostile key of ten can move',
        load: () => import('./eval/hostile-key.ts'),
      },
      'eval:learning-code': {
        summary: 'measure whether outcomes of earlier changes improve search of code',
        load: () => import('./eval/learning-code.ts'),
      },
      'eval:learning-offline': {
        summary: 'measure the learnt ranking alone, in one process',
        load: () => import('./eval/learning-offline.ts'),
      },
      'eval:learning': { summary: 'measure whether outcomes improve search', load: () => import('./eval/learning.ts') },
      'eval:modes': {
        summary: 'measure the choice of search against always using one',
        load: () => import('./eval/modes.ts'),
      },
      'eval:notes': {
        summary: 'measure the first notes of a team beside its code',
        load: () => import('./eval/notes.ts'),
      },
      'eval:patterns': {
        summary: 'measure whether patterns of earlier answers help later questions',
        load: () => import('./eval/patterns.ts'),
      },
      'eval:redaction': {
        summary: 'measure false alarms of redaction',
        load: () => import('./eval/redaction/redaction.ts'),
      },
      'eval:retrieval': {
        summary: 'measure search on a data set in BEIR layout',
        load: () => import('./eval/retrieval.ts'),
      },
      'eval:routing': { summary: 'measure what the router learns', load: () => import('./eval/routing.ts') },
      'eval:routing-repeats': {
        summary: 'measure the calibration of the router where queries repeat',
        load: () => import('./eval/routing-repeats.ts'),
      },
      'eval:tokens': {
        summary: 'measure how many tokens packed context needs',
        load: () => import('./eval/tokens.ts'),
      },
      'eval:rated-questions': {
        summary: 'ask twenty-five questions about Click and rate what a prompt gets',
        load: () => import('./eval/rated-questions.ts'),
      },
      'eval:twenty-questions': {
        summary: 'ask twenty questions about two code bases, for a page of before and after',
        load: () => import('./eval/twenty-questions.ts'),
      },
      'fine-tune': {
        summary: 'export a dataset, train a small model on it, serve it and route to it',
        load: () => import('./fine-tune/run.ts'),
      },
      'first-hour': {
        summary: 'time what a new user types, from a clone to the first context in an agent',
        load: () => import('./first-hour.ts'),
      },
      fuzz: { summary: 'send thousands of valid and malformed requests', load: () => import('./fuzz/fuzz.ts') },
      measure: {
        summary: 'keep the output of a command for docs/measurements.md',
        load: () => import('./measure.ts'),
      },
      'train:code-ranking': {
        summary: 'learn the weights of the ranking of code',
        load: () => import('./training/code-ranking/train.ts'),
      },
      'security-tables': {
        summary: 'send the requests of the security review, the red team and every scope, and print tables',
        load: () => import('./security/tables.ts'),
      },
      screenshots: {
        summary: 'take the screenshots of the documentation',
        load: () => import('./screenshots/screenshots.ts'),
      },
    },
  },
  process.argv.slice(2),
)
