/**
 * Entry of the command line: `npm run <command> -- [arguments]`.
 * @module
 */

interface Command {
  readonly summary: string
  readonly load: () => Promise<{ run(argv: string[]): Promise<number> }>
}

const COMMANDS: Record<string, Command> = {
  dev: { summary: 'run the coordinator on this machine', load: () => import('./dev.ts') },
  demo: { summary: 'walk the whole loop on a real code base', load: () => import('./demo.ts') },
  ingest: { summary: 'read a folder or JSON Lines into the knowledge', load: () => import('./ingest.ts') },
  fuzz: {
    summary: 'thousands of sound and bent requests against a fresh coordinator',
    load: () => import('./fuzz.ts'),
  },
  chaos: {
    summary: 'a busy hour while everything goes wrong, and whether all is as it was told',
    load: () => import('./chaos.ts'),
  },
  deploy: { summary: 'deploy to Cloudflare, with everything that it needs', load: () => import('./deploy.ts') },
  'migrate-store': {
    summary: 'move knowledge between the embedded store and Qdrant',
    load: () => import('./migrate-store.ts'),
  },
  connect: { summary: 'let Claude Code augment and track by itself', load: () => import('./connect.ts') },
  keys: { summary: 'make, list and revoke API keys', load: () => import('./keys.ts') },
  'eval:retrieval': {
    summary: 'measure search on a data set in BEIR layout',
    load: () => import('./eval/retrieval.ts'),
  },
  bench: { summary: 'measure what every hot path costs, beside bare code', load: () => import('./bench/bench.ts') },
  'bench:peers': { summary: 'measure search beside other engines', load: () => import('./bench/peers.ts') },
  'bench:storage': { summary: 'measure what interactions and items take', load: () => import('./bench/storage.ts') },
  'bench:dashboard': { summary: 'measure how soon the overview is there', load: () => import('./bench/dashboard.ts') },
  'eval:abstention': {
    summary: 'measure how often nothing relevant is recognised as such',
    load: () => import('./eval/abstention.ts'),
  },
  'eval:redaction': {
    summary: 'measure how often redaction takes out what is no secret',
    load: () => import('./eval/redaction.ts'),
  },
  'eval:tokens': {
    summary: 'measure how many tokens packed context needs for the evidence',
    load: () => import('./eval/tokens.ts'),
  },
  'eval:routing': {
    summary: 'measure what the router learns',
    load: () => import('./eval/routing.ts'),
  },
  'eval:conversation': {
    summary: 'measure what a conversation saves over independent calls',
    load: () => import('./eval/conversation.ts'),
  },
  'eval:modes': {
    summary: 'measure the choice of search against always using one',
    load: () => import('./eval/modes.ts'),
  },
  'eval:learning': {
    summary: 'measure whether outcomes make search better',
    load: () => import('./eval/learning.ts'),
  },
  conformance: { summary: 'run the MCP conformance suite', load: () => import('./conformance.ts') },
  screenshots: { summary: 'take the pictures of the README', load: () => import('./screenshots.ts') },
  reference: { summary: 'write docs/api.md and docs/settings.md', load: () => import('./reference.ts') },
  'bundle-size': { summary: 'print the size of the Worker', load: () => import('./bundle-size.ts') },
}

const [name = '', ...argv] = process.argv.slice(2)
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
if (command) {
  const { run } = await command.load()
  process.exitCode = await run(argv)
} else {
  const help = name === '' || name === 'help' || name === '--help' || name === '-h'
  const lines = Object.entries(COMMANDS).map(([command, { summary }]) => `  npm run ${command.padEnd(16)} ${summary}`)
  const text = `Hybrid Coordinator\n\n${lines.join('\n')}\n\nEach takes --help: npm run ingest -- --help\n`
  if (help) process.stdout.write(text)
  else process.stderr.write(`There is no command ${JSON.stringify(name)}.\n\n${text}`)
  process.exitCode = help ? 0 : 2
}
