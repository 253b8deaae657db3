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
      setup: { summary: 'start it, read a folder, connect your agents', load: () => import('./setup.ts') },
      ask: { summary: 'ask a question in the terminal', load: () => import('./ask.ts') },
      ingest: { summary: 'read a folder or JSON Lines into the knowledge base', load: () => import('./ingest.ts') },
      sources: { summary: 'list what was ingested, and remove it', load: () => import('./sources.ts') },
      knowledge: {
        summary: 'write what was learnt as files; move it to Qdrant and back',
        load: () => import('./knowledge.ts'),
      },
      connect: { summary: 'connect a coding agent', load: () => import('./connect.ts') },
      doctor: { summary: 'find out what is wrong and how to fix it', load: () => import('./doctor.ts') },
      keys: { summary: 'create, list and revoke API keys', load: () => import('./keys.ts') },
      deploy: { summary: 'deploy to Cloudflare', load: () => import('./deploy.ts') },
    },
  },
  process.argv.slice(2),
)
