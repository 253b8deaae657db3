/**
 * Ingests JSON Lines: one item per line, `{"key"?, …fields}`, for any collection.
 * @module
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { HttpClient } from '../shared/http.ts'
import { Progress } from '../shared/progress.ts'
import { count } from '../shared/terminal.ts'
import { describeError, type FieldValue, type KnowledgeItem, putItems } from './api.ts'
import { createSender, jsonBytes } from './batches.ts'
import { noteTruncated, type Report } from './report.ts'

const LIMITS = { parts: 400, items: 400, bytes: 2 * 1024 * 1024 - 16 * 1024 }

interface Line {
  number: number
  item: KnowledgeItem
}

/** A run in progress. */
interface Run {
  http: HttpClient
  dryRun: boolean
  report: Report
  stopped: () => boolean
}

/**
 * Parses one line.
 * @returns the item, or an error message
 */
export function parseLine(line: string): KnowledgeItem | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a JSON object'
  const { key, ...fields } = value as Record<string, FieldValue>
  if (key !== undefined && (typeof key !== 'string' || key === '')) return 'key must be a non-empty string'
  if (Object.keys(fields).length === 0) return 'no fields'
  return key === undefined ? { fields } : { key, fields }
}

/**
 * Reads a file line by line, sends valid lines, and reports invalid ones by number.
 * @param path - the file
 * @throws HttpError, UnreachableError, and the file system's error if the file can't be read
 */
export async function ingestLines(path: string, run: Run): Promise<void> {
  const { report } = run
  const { size } = await stat(path)
  const progress = new Progress({ noun: 'KB', total: Math.ceil(size / 1_000) })
  const reject = (line: number, reason: string): void => {
    report.rejected.push({ at: `line ${line}`, reason })
  }
  const sender = createSender<Line>({
    limits: LIMITS,
    measure: ({ item }) => ({ items: 1, bytes: jsonBytes(item) }),
    reject: (line, reason) => reject(line.number, reason),
    send: async (lines) => {
      const items = lines.map((line) => line.item)
      const { results, truncated } = await putItems(run.http, report.project, report.collection, items)
      noteTruncated(report, truncated)
      const answered = new Map(results.map((result) => [result.index, result]))
      for (const [index, line] of lines.entries()) {
        const result = answered.get(index)
        if (!result) reject(line.number, 'the coordinator did not answer for it')
        else if (result.status === 'rejected') reject(line.number, describeError(result.error))
        else if (result.status === 'indexed') report.chunks.added++
        else report.chunks[result.status]++
      }
    },
  })
  const stream = createReadStream(path)
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
  let number = 0
  try {
    for await (const raw of lines) {
      number++
      if (run.stopped()) break
      const line = number === 1 ? raw.replace(/^\uFEFF/, '') : raw
      if (line.trim() === '') continue
      const item = parseLine(line)
      if (typeof item === 'string') {
        reject(number, item)
        continue
      }
      report.chunks.total++
      if (!run.dryRun) await sender.add({ number, item })
      progress.update(Math.round(stream.bytesRead / 1_000), `${count(report.chunks.total)} items`)
    }
    await sender.flush()
  } finally {
    lines.close()
    stream.destroy()
    progress.finish()
  }
  // Batches may be answered in any order.
  report.rejected.sort((a, b) => Number(a.at.slice(5)) - Number(b.at.slice(5)))
  report.interrupted = run.stopped()
}
