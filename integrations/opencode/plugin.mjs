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
    const latest = new Map()
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
        remember(latest, event)
        const session = event.properties?.sessionID ?? event.properties?.info?.id
        if (typeof session !== 'string') return
        if (event.type === 'session.compacted') await run({ kind: 'compacted', session })
        if (event.type === 'session.deleted') await run({ kind: 'end', session })
        if (event.type === 'session.idle') {
          // `opencode run` exits now and waits for nobody, so nothing is asked for before the answer is on the disk.
          const seen = answerIn(latest.get(session))
          const answer = seen === undefined ? await lastAnswer(client, session) : seen
          latest.delete(session)
          if (answer) await run({ kind: 'answer', session, ...answer })
          if (!(await isHelper(client, session))) refreshInBackground(settings, directory)
        }
      },
    }
  }
}

/** Keeps the model's last message of each session as its events tell it. */
function remember(latest, { type, properties = {} }) {
  if (type === 'message.updated' && properties.info?.role === 'assistant') {
    const { info } = properties
    const known = latest.get(info.sessionID)
    latest.set(info.sessionID, { info, texts: known?.info.id === info.id ? known.texts : new Map() })
  }
  const { part } = properties
  if (type !== 'message.part.updated' || part?.type !== 'text') return
  const known = latest.get(part.sessionID)
  if (known?.info.id === part.messageID) known.texts.set(part.id, part.text)
}

/** What was remembered as an answer; null for one that broke off, undefined when there is no text. */
function answerIn(known) {
  if (!known) return undefined
  const { info, texts } = known
  if (info.error) return null
  const answer = [...texts.values()].join('\n\n')
  return answer.trim() === '' ? undefined : { answer, promptId: info.parentID, model: info.modelID }
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
