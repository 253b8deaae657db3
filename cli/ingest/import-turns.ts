/**
 * Sends the turns of exported chats as interactions.
 * @module
 */
import type { HttpClient } from '../shared/http.ts'
import { Progress } from '../shared/progress.ts'
import { count } from '../shared/terminal.ts'
import type { Truncated } from './api.ts'
import { createSender, jsonBytes } from './batches.ts'
import type { Turn } from './chats.ts'
import { noteTruncated, type Report } from './report.ts'

const LIMITS = { parts: 200, items: 200, bytes: 2 * 1024 * 1024 - 16 * 1024 }

/** Maximum text lengths of an interaction, in characters. */
const MAX_LENGTHS = { query: 100_000, response: 200_000 } as const

/** A turn with the beginning of texts that are too long; the report counts them. */
function shortened(turn: Turn, report: Report): Turn {
  const result = { ...turn }
  for (const name of ['query', 'response'] as const) {
    const max = MAX_LENGTHS[name]
    if (turn[name].length <= max) continue
    result[name] = turn[name].slice(0, max).toWellFormed()
    const message = `The first ${count(max)} characters of a ${name} are stored.`
    noteTruncated(report, [{ count: 1, message, hint: 'The rest stays in the export only.' }])
  }
  return result
}

/**
 * Imports turns. Turns with a known key change nothing.
 * @throws HttpError, UnreachableError
 */
export async function importTurns(
  turns: readonly Turn[],
  run: { http: HttpClient; dryRun: boolean; report: Report; stopped: () => boolean },
): Promise<void> {
  const { report } = run
  const progress = new Progress({ noun: 'turns', total: turns.length })
  report.chunks.total = turns.length
  const sender = createSender<Turn>({
    limits: LIMITS,
    measure: (turn) => ({ items: 1, bytes: jsonBytes(turn) }),
    reject: (turn, reason) => report.rejected.push({ at: turn.idempotency_key, reason }),
    send: async (interactions) => {
      const answer: { imported: number; unchanged: number; truncated?: Truncated[] } = await run.http.post(
        '/interactions/import',
        { project: report.project, interactions },
      )
      noteTruncated(report, answer.truncated)
      report.chunks.added += answer.imported
      report.chunks.unchanged += answer.unchanged
      progress.update(report.chunks.added + report.chunks.unchanged, '')
    },
  })
  try {
    if (!run.dryRun) {
      for (const turn of turns) if (!run.stopped()) await sender.add(shortened(turn, report))
      await sender.flush()
    }
  } finally {
    progress.finish()
  }
  report.interrupted = run.stopped()
}
