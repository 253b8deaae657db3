/**
 * The Durable Object of one conversation: its turns and the context that was sent. Deleted by alarm when it is not used.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { ConversationState, Turn } from './client.ts'

/** A conversation that nobody continues for this long is deleted, in milliseconds. */
export const CONVERSATION_LIFETIME = 7 * 24 * 60 * 60 * 1000
/** The oldest turns beyond this number are dropped. */
const MOST_TURNS = 500

type TurnRow = { number: number; query: string; context_ids: string; tokens: number; created_at: number }

const TABLE = `CREATE TABLE IF NOT EXISTS turns (number INTEGER PRIMARY KEY AUTOINCREMENT, query TEXT NOT NULL,
  context_ids TEXT NOT NULL, tokens INTEGER NOT NULL, created_at INTEGER NOT NULL)`

export class Conversation extends DurableObject<object> {
  readonly #sql: SqlStorage

  constructor(state: DurableObjectState, env: object) {
    super(state, env)
    this.#sql = state.storage.sql
    this.#sql.exec(TABLE)
  }

  async addTurn(query: string, contextIds: readonly string[], tokens: number): Promise<{ turnNumber: number }> {
    const now = Date.now()
    const { number } = this.#sql
      .exec<{ number: number }>(
        'INSERT INTO turns (query, context_ids, tokens, created_at) VALUES (?, ?, ?, ?) RETURNING number',
        query,
        JSON.stringify(contextIds),
        tokens,
        now,
      )
      .one()
    this.#sql.exec('DELETE FROM turns WHERE number <= ?', number - MOST_TURNS)
    await this.ctx.storage.setAlarm(now + CONVERSATION_LIFETIME)
    return { turnNumber: number }
  }

  sentContext(): string[] {
    const rows = this.#sql.exec<{ id: string }>(
      'SELECT DISTINCT json_each.value AS id FROM turns, json_each(turns.context_ids)',
    )
    return [...rows].map(({ id }) => id)
  }

  /** The whole conversation under the id that the caller knows it by; null when no turn was ever added. */
  async read(id: string): Promise<ConversationState | null> {
    const turns: Turn[] = this.#sql
      .exec<TurnRow>('SELECT number, query, context_ids, tokens, created_at FROM turns ORDER BY number')
      .toArray()
      .map((row) => ({
        number: row.number,
        query: row.query,
        contextIds: JSON.parse(row.context_ids) as string[],
        tokens: row.tokens,
        createdAt: row.created_at,
      }))
    const [first] = turns
    if (!first) return null
    return { id, turns, createdAt: first.createdAt, expiresAt: (await this.ctx.storage.getAlarm()) ?? 0 }
  }

  /** Whether there was anything to delete. */
  async clear(): Promise<boolean> {
    const had = this.#sql.exec('DELETE FROM turns RETURNING 1').toArray().length > 0
    await this.ctx.storage.deleteAlarm()
    return had
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.deleteAll()
    this.#sql.exec(TABLE)
  }
}
