#!/usr/bin/env node
/**
 * Hook of Hybrid Coordinator for Claude Code, Codex and Gemini CLI: adds the team's knowledge to each prompt, tracks
 * each answer, and reports outcomes. Requires only Node 20. `npm run connect` adds it to the client's settings.
 *
 * Arguments: the client (default: claude-code), and a JSON file of variables, for clients that have none for their
 * hooks. Variables: see docs/claude-code.md.
 * @module
 */
import { spawn } from 'node:child_process'
import { outputOf, readEvent } from './clients.mjs'
import { refreshInBackground } from './refresh.mjs'
import { handle, warmUp } from './session.mjs'
import { readSettings } from './settings.mjs'

const [client = 'claude-code', file, task] = process.argv.slice(2)
const settings = readSettings(process.env, client, file)
const note = (text) => {
  if (settings.debug) process.stderr.write(`hybrid-coordinator: ${text}\n`)
}

let output = ''
try {
  for (const problem of settings.problems) note(problem)
  if (task === 'warm-up') await warmUp(settings)
  else {
    const event = readEvent(client, JSON.parse(await readAll(process.stdin)))
    if (event?.kind === 'start') {
      // This program doesn't wait for it: it continues after this program has ended.
      const parameters = [import.meta.filename ?? new URL(import.meta.url).pathname, client, file ?? '', 'warm-up']
      spawn(process.execPath, parameters, { detached: true, stdio: 'ignore' })
        .on('error', () => undefined)
        .unref()
    }
    // Before the session's first prompt, and after each turn, because the agent may have changed files.
    if (event?.kind === 'start' || event?.kind === 'answer')
      refreshInBackground(settings, event.folder ?? process.cwd())
    if (event) output = outputOf(event, await handle(settings, event, note))
  }
} catch (error) {
  note(error instanceof Error ? error.message : String(error))
}
// An abandoned connection must neither delay the end of this program nor set its exit code.
process.stdout.write(output, () => process.exit(0))

async function readAll(stream) {
  const pieces = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces).toString('utf8')
}
