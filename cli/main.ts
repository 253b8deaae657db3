/**
 * Entry of the command line: `npm run <command> -- [arguments]`.
 * @module
 */
import { runCommand } from './commands.ts'

process.exitCode = await runCommand(
  {
    title: 'Hybrid Coordinator',
    prefix: 'npm run',
    commands: {
      dev: { summary: 'run the coordinator on this machine', load: () => import('./dev.ts') },
      demo: { summary: 'walk through the whole loop on a real code base', load: () => import('./demo.ts') },
      setup: {
        summary: 'start the coordinator, ingest a folder, connect your agents',
        load: () => import('./setup.ts'),
      },
      ask: { summary: 'ask a question in the terminal', load: () => import('./ask.ts') },
      ingest: { summary: 'ingest a folder or JSON Lines', load: () => import('./ingest.ts') },
      sources: { summary: 'list, refresh and remove ingested sources', load: () => import('./sources.ts') },
      knowledge: {
        summary: 'export knowledge as files; migrate it to Qdrant and back',
        load: () => import('./knowledge.ts'),
      },
      connect: { summary: 'connect a coding agent', load: () => import('./connect.ts') },
      doctor: { summary: 'find problems and how to fix them', load: () => import('./doctor.ts') },
      keys: { summary: 'create, list and revoke API keys', load: () => import('./keys.ts') },
      deploy: { summary: 'deploy to Cloudflare', load: () => import('./deploy.ts') },
    },
  },
  process.argv.slice(2),
)
