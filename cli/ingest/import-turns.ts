/**
 * Sends the turns of exported chats as interactions.
 * @module
 */
import type { HttpClient } from '../shared/http.ts'
import { Progress } from '../shared/progress.ts'
import { createSender, jsonBytes } from './batches.ts'
import type { Turn } from './chats.ts'
import type { Report } from './report.ts'

const LIMITS = { parts: 200, items: 200, bytes: 2 * 1024 * 1024 - 16 * 1024 }

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
      const answer: { imported: number; unchanged: number } = await run.http.post('/interactions/import', {
        project: report.project,
        interactions,
      })
      report.chunks.added += answer.imported
      report.chunks.unchanged += answer.unchanged
      progress.update(report.chunks.added + report.chunks.unchanged, '')
    },
  })
  try {
    if (!run.dryRun) {
      for (const turn of turns) if (!run.stopped()) await sender.add(turn)
      await sender.flush()
    }
  } finally {
    progress.finish()
  }
  report.interrupted = run.stopped()
}
