/**
 * The Durable Object of one conversation: its turns, the context shown in them, and its summary. An alarm deletes an
 * inactive conversation. No state is kept in memory between calls, so eviction loses nothing.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type {
  AddedTurn,
  ConversationState,
  NewTurn,
  Recall,
  ShownContext,
  ShownItem,
  StoredConversation,
  StoredValue,
  Summary,
  Turn,
} from './client.ts'
import { extractSummary, SUMMARY_LENGTH, type Utterance } from './summary.ts'

/** If there are more turns, the oldest ones are folded into the summary and dropped. */
const MAX_TURNS = 500
/** Maximum characters stored of a query and of an answer. */
const MAX_TEXT = 2000
/** Maximum length of the summary of dropped turns, in characters. */
const DROPPED_LENGTH = 400
/** Assumed length of an answer that was not tracked, in tokens. */
const ASSUMED_ANSWER = 400

const TABLES = [
  `CREATE TABLE IF NOT EXISTS turn (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, query TEXT NOT NULL,
    query_tokens INTEGER NOT NULL, tokens INTEGER NOT NULL, answer TEXT, answer_tokens INTEGER, created_at INTEGER NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS item (number INTEGER PRIMARY KEY AUTOINCREMENT, context_id TEXT NOT NULL,
    version INTEGER NOT NULL, title TEXT NOT NULL, UNIQUE (context_id, version))`,
  `CREATE TABLE IF NOT EXISTS shown (turn INTEGER NOT NULL, item INTEGER NOT NULL, position INTEGER NOT NULL,
    stretches TEXT NOT NULL, tokens INTEGER NOT NULL, PRIMARY KEY (turn, item, position)) WITHOUT ROWID`,
  'CREATE TABLE IF NOT EXISTS property (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
] as const

/** The tables of a dump. The last one has the highest number ever given to a turn and an item. */
const DUMPED = ['turn', 'item', 'shown', 'property', 'sqlite_sequence'] as const

type TurnRow = {
  number: number
  query: string
  query_tokens: number
  tokens: number
  answer: string | null
  answer_tokens: number | null
  created_at: number
}

interface Properties {
  /** Number of dropped turns, and their summary. */
  dropped: { turns: number; text: string }
  /** Written by the local model. */
  summary: Summary
  created: number
}

export class Conversation extends DurableObject {
  /** Adds a turn once, even if it is sent several times. */
  async addTurn(turn: NewTurn, lifetimeMs: number): Promise<AddedTurn> {
    this.#createTables()
    const added = this.ctx.storage.transactionSync(() => {
      const [known] = this.#rows<{ number: number }>('SELECT number FROM turn WHERE key = ?', turn.key)
      if (known) return { turnNumber: known.number, numbers: this.#numbersOf(known.number) }
      const now = Date.now()
      const [row] = this.#rows<{ number: number }>(
        'INSERT INTO turn (key, query, query_tokens, tokens, created_at) VALUES (?, ?, ?, ?, ?) RETURNING number',
        turn.key,
        beginning(turn.query),
        turn.queryTokens,
        turn.tokens,
        now,
      )
      const number = row?.number ?? 0
      if (number === 1) this.#setProperty('created', now)
      const numbers = this.#show(number, turn.shown)
      this.#dropOldTurns(number)
      return { turnNumber: number, numbers }
    })
    await this.ctx.storage.setAlarm(Date.now() + lifetimeMs)
    return added
  }

  /** Adds context to the latest turn. If the conversation is new, creates a turn without a query. */
  async addContext(tokens: number, shown: readonly ShownItem[], lifetimeMs: number): Promise<AddedTurn> {
    this.#createTables()
    const [latest] = this.#rows<{ number: number | null }>('SELECT max(number) AS number FROM turn')
    if (!latest?.number) {
      return this.addTurn({ key: 'first', query: '', queryTokens: 0, tokens, shown }, lifetimeMs)
    }
    const { number } = latest
    const numbers = this.ctx.storage.transactionSync(() => {
      this.#rows('UPDATE turn SET tokens = tokens + ? WHERE number = ?', tokens, number)
      return this.#show(number, shown)
    })
    await this.ctx.storage.setAlarm(Date.now() + lifetimeMs)
    return { turnNumber: number, numbers }
  }

  async addAnswer(query: string, response: string, tokens: number, lifetimeMs: number): Promise<boolean> {
    if (!this.#exists()) return false
    const answered = this.#rows(
      `UPDATE turn SET answer = ?, answer_tokens = ? WHERE number =
        (SELECT max(number) FROM turn WHERE query = ? AND answer IS NULL) RETURNING 1`,
      beginning(response),
      tokens,
      beginning(query),
    )
    if (answered.length > 0) await this.ctx.storage.setAlarm(Date.now() + lifetimeMs)
    return answered.length > 0
  }

  /** The context shown in turns that are less than `windowTokens` tokens ago. */
  recall(windowTokens: number): Recall {
    if (!this.#exists()) return { contexts: [], nextNumber: 1, turns: 0 }
    const rows = this.#rows<{ number: number; context_id: string; version: number; stretches: string }>(
      `WITH reach AS (SELECT number, sum(query_tokens + tokens + coalesce(answer_tokens, ?)) OVER (ORDER BY number DESC) AS since
         FROM turn)
       SELECT item.number, context_id, version, stretches
       FROM shown JOIN reach ON reach.number = shown.turn JOIN item ON item.number = shown.item
       WHERE since <= ? ORDER BY item.number, shown.turn`,
      ASSUMED_ANSWER,
      windowTokens,
    )
    const contexts = new Map<number, Recall['contexts'][number] & { stretches: { start: number; end: number }[] }>()
    for (const { number, context_id: contextId, version, stretches } of rows) {
      const known = contexts.get(number) ?? { contextId, version, number, stretches: [] }
      known.stretches.push(...(JSON.parse(stretches) as { start: number; end: number }[]))
      contexts.set(number, known)
    }
    const [counts] = this.#rows<{ items: number | null; turns: number }>(
      "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'item') AS items, (SELECT count(*) FROM turn) AS turns",
    )
    return { contexts: [...contexts.values()], nextNumber: (counts?.items ?? 0) + 1, turns: counts?.turns ?? 0 }
  }

  saveSummary(summary: Summary): void {
    if (!this.#exists()) return
    const known = this.#property('summary')
    if (!known || known.throughTurn <= summary.throughTurn) this.#setProperty('summary', summary)
  }

  /** The whole conversation, with the caller's id; null if no turn was ever added. */
  async read(id: string): Promise<ConversationState | null> {
    if (!this.#exists()) return null
    const shown = this.#rows<{ turn: number; context_id: string; number: number; title: string; tokens: number }>(
      `SELECT turn, context_id, item.number, title, tokens FROM shown JOIN item ON item.number = shown.item
       ORDER BY turn, position`,
    )
    const contextIds = new Map<number, Set<string>>()
    for (const { turn, context_id } of shown) {
      contextIds.set(turn, (contextIds.get(turn) ?? new Set()).add(context_id))
    }
    const turns = this.#turns().map(
      (row): Turn => ({
        number: row.number,
        query: row.query,
        contextIds: [...(contextIds.get(row.number) ?? [])],
        tokens: row.tokens,
        queryTokens: row.query_tokens,
        answer: row.answer,
        answerTokens: row.answer_tokens,
        createdAt: row.created_at,
      }),
    )
    const last = turns.at(-1)
    if (!last) return null
    const dropped = this.#property('dropped')
    return {
      id,
      turns,
      shown: latestShowings(shown),
      summary: this.#property('summary') ?? {
        text: summaryOf(dropped?.text ?? '', turns),
        method: 'extractive',
        throughTurn: last.number,
      },
      droppedTurns: dropped?.turns ?? 0,
      createdAt: this.#property('created') ?? last.createdAt,
      expiresAt: (await this.ctx.storage.getAlarm()) ?? 0,
    }
  }

  /** Returns whether there was anything to delete. */
  async clear(): Promise<boolean> {
    const had = this.#exists()
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
    return had
  }

  /** All rows, for a backup; null if no turn was ever added. */
  async dump(): Promise<StoredConversation | null> {
    if (!this.#exists()) return null
    const tables = Object.fromEntries(
      DUMPED.map((table) => [table, this.#rows<Record<string, StoredValue>>(`SELECT * FROM ${table}`)]),
    )
    return { tables, expiresAt: await this.ctx.storage.getAlarm() }
  }

  /** Replaces the conversation with a dump. Columns that it doesn't have get their default. */
  async load({ tables, expiresAt }: StoredConversation): Promise<void> {
    await this.clear()
    this.ctx.storage.transactionSync(() => {
      this.#createTables()
      for (const table of DUMPED) {
        // Inserting turns and items has added their sequences.
        if (table === 'sqlite_sequence') this.#rows('DELETE FROM sqlite_sequence')
        for (const row of tables[table] ?? []) {
          const names = Object.keys(row)
          const columns = names.map((name) => `"${name.replaceAll('"', '""')}"`).join(', ')
          const places = names.map(() => '?').join(', ')
          this.#rows(`INSERT INTO ${table} (${columns}) VALUES (${places})`, ...Object.values(row))
        }
      }
    })
    if (expiresAt !== null) await this.ctx.storage.setAlarm(expiresAt)
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.deleteAll()
  }

  /** Records the items that a turn shows. An item keeps its number as long as its text is unchanged. */
  #show(turn: number, shown: readonly ShownItem[]): number[] {
    const [before] = this.#rows<{ n: number }>('SELECT count(*) AS n FROM shown WHERE turn = ?', turn)
    return shown.map(({ contextId, version, title, stretches, tokens }, i) => {
      const [known] = this.#rows<{ number: number }>(
        'SELECT number FROM item WHERE context_id = ? AND version = ?',
        contextId,
        version,
      )
      const [item] = known
        ? [known]
        : this.#rows<{ number: number }>(
            'INSERT INTO item (context_id, version, title) VALUES (?, ?, ?) RETURNING number',
            contextId,
            version,
            title,
          )
      const number = item?.number ?? 0
      this.#rows(
        'INSERT INTO shown (turn, item, position, stretches, tokens) VALUES (?, ?, ?, ?, ?)',
        turn,
        number,
        (before?.n ?? 0) + i,
        JSON.stringify(stretches),
        tokens,
      )
      return number
    })
  }

  #numbersOf(turn: number): number[] {
    return this.#rows<{ item: number }>('SELECT item FROM shown WHERE turn = ? ORDER BY position', turn).map(
      ({ item }) => item,
    )
  }

  #dropOldTurns(latest: number): void {
    const old = this.#turns(latest - MAX_TURNS)
    if (old.length === 0) return
    const dropped = this.#property('dropped')
    this.#setProperty('dropped', {
      turns: (dropped?.turns ?? 0) + old.length,
      text: extractSummary([...spoken(dropped?.text ?? ''), ...utterances(old)], DROPPED_LENGTH),
    })
    this.#rows('DELETE FROM turn WHERE number <= ?', latest - MAX_TURNS)
    this.#rows('DELETE FROM shown WHERE turn <= ?', latest - MAX_TURNS)
    this.#rows('DELETE FROM item WHERE number NOT IN (SELECT item FROM shown)')
  }

  #turns(through = Number.MAX_SAFE_INTEGER): TurnRow[] {
    return this.#rows<TurnRow>(
      `SELECT number, query, query_tokens, tokens, answer, answer_tokens, created_at FROM turn WHERE number <= ?
       ORDER BY number`,
      through,
    )
  }

  #property<K extends keyof Properties>(name: K): Properties[K] | null {
    const [row] = this.#rows<{ value: string }>('SELECT value FROM property WHERE name = ?', name)
    return row ? (JSON.parse(row.value) as Properties[K]) : null
  }

  #setProperty<K extends keyof Properties>(name: K, value: Properties[K]): void {
    this.#rows('INSERT OR REPLACE INTO property (name, value) VALUES (?, ?)', name, JSON.stringify(value))
  }

  /** Only the first write creates the tables: reading a conversation that doesn't exist leaves nothing behind. */
  #createTables(): void {
    for (const statement of TABLES) this.#rows(statement)
  }

  #exists(): boolean {
    return this.#rows("SELECT 1 FROM sqlite_master WHERE name = 'turn'").length > 0
  }

  #rows<T extends Record<string, SqlStorageValue>>(sql: string, ...values: SqlStorageValue[]): T[] {
    return this.ctx.storage.sql.exec<T>(sql, ...values).toArray()
  }
}

function latestShowings(
  shown: readonly { turn: number; context_id: string; number: number; title: string; tokens: number }[],
): ShownContext[] {
  const latest = new Map<number, ShownContext>()
  for (const { turn, context_id: contextId, number, title, tokens } of shown) {
    latest.set(number, { contextId, number, title, turn, tokens: (latest.get(number)?.tokens ?? 0) + tokens })
  }
  return [...latest.values()]
}

/** The summary of dropped turns, followed by that of the current ones. */
function summaryOf(dropped: string, turns: readonly Spoken[]): string {
  const rest = extractSummary(utterances(turns), SUMMARY_LENGTH - dropped.length - 1)
  return [dropped, rest].filter((text) => text !== '').join('\n')
}

interface Spoken {
  readonly number: number
  readonly query: string
  readonly answer: string | null
}

function utterances(turns: readonly Spoken[]): Utterance[] {
  return turns.flatMap(({ number, query, answer }): Utterance[] => [
    { turn: number, speaker: 'user', text: query },
    ...(answer === null ? [] : [{ turn: number, speaker: 'assistant' as const, text: answer }]),
  ])
}

/** Parses the lines of an earlier summary as utterances. */
function spoken(summary: string): Utterance[] {
  return summary.split('\n').flatMap((line): Utterance[] => {
    const [, speaker, text] = /^(user|assistant): (.*)$/.exec(line) ?? []
    return text ? [{ turn: 1, speaker: speaker === 'user' ? 'user' : 'assistant', text }] : []
  })
}

function beginning(text: string): string {
  return text.slice(0, MAX_TEXT).toWellFormed()
}
