/**
 * Plugin for OpenCode: does the work of the other agents' hooks inside OpenCode's own process. `npm run connect --
 * opencode` writes the file that loads it.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { refreshInBackground } from '../hooks/refresh.mjs'
import { handle, warmUp } from '../hooks/session.mjs'
import { readSettings } from '../hooks/settings.mjs'

/**
 * Creates the plugin.
 * @param {string} file JSON file of variables, see docs/agents.md
 * @returns {(input: { client: any, directory?: string }) => Promise<Record<string, unknown>>} a plugin for OpenCode
 */
export function hybridCoordinator(file) {
  return async ({ client, directory = process.cwd() }) => {
    const settings = readSettings(process.env, 'opencode', file)
    const note = (text) => {
      if (settings.debug) process.stderr.write(`hybrid-coordinator: ${text}\n`)
    }
    const run = (event) =>
      handle(settings, { name: event.kind, ...event }, note).catch((error) => {
        note(error instanceof Error ? error.message : String(error))
        return {}
      })
    for (const problem of settings.problems) note(problem)
    refreshInBackground(settings, directory)
    warmUp(settings).catch((error) => note(error.message))
    return {
      'chat.message': async ({ sessionID: session }, { message, parts }) => {
        const prompt = parts
          .flatMap(({ type, text, synthetic }) => (type === 'text' && !synthetic ? text : []))
          .join('\n')
        // Questions to a subagent don't come from a person.
        if (await isHelper(client, session)) return
        const { context } = await run({ kind: 'prompt', session, promptId: message.id, prompt })
        if (!context) return
        const id = `prt_${randomUUID().replaceAll('-', '')}`
        parts.push({ id, sessionID: session, messageID: message.id, type: 'text', text: context, synthetic: true })
      },
      event: async ({ event }) => {
        const session = event.properties?.sessionID ?? event.properties?.info?.id
        if (typeof session !== 'string') return
        if (event.type === 'session.compacted') await run({ kind: 'compacted', session })
        if (event.type === 'session.deleted') await run({ kind: 'end', session })
        if (event.type === 'session.idle' && !(await isHelper(client, session))) {
          const answer = await lastAnswer(client, session)
          if (answer) await run({ kind: 'answer', session, ...answer })
          refreshInBackground(settings, directory)
        }
      },
    }
  }
}

async function isHelper(client, session) {
  const { data } = await client.session.get({ path: { id: session } }).catch(() => ({}))
  return Boolean(data?.parentID)
}

/** The model's last message in a session, with the prompt that it answers; null if it was interrupted. */
async function lastAnswer(client, session) {
  const { data } = await client.session.messages({ path: { id: session } }).catch(() => ({}))
  const last = data?.findLast(({ info }) => info.role === 'assistant')
  if (!last || last.info.error) return null
  const answer = last.parts.flatMap(({ type, text }) => (type === 'text' ? text : [])).join('\n\n')
  return { answer, promptId: last.info.parentID, model: last.info.modelID }
}
