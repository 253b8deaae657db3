/**
 * Downloads of datasets: streamed from R2, with ranges, so that an interrupted download can continue.
 * @module
 */
import type { Hono } from 'hono'
import { findDataset } from '../database/queries/exports.ts'
import { CoordinatorError, invalidInput, notFound } from '../errors.ts'
import { holds } from '../operations/invoke.ts'
import type { AppContext, AppEnv } from './context.ts'
import { problemResponse } from './problem.ts'

/** The path of dataset downloads. */
export const DOWNLOAD_PATH = '/learning/datasets/{dataset_id}/download'

/** A range of a file, in bytes. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/** Adds the download route. */
export function mountDownloads(app: Hono<AppEnv>): void {
  app.get(DOWNLOAD_PATH.replace('{dataset_id}', ':dataset_id'), download)
}

/**
 * Reads a `Range` header (RFC 9110, section 14). Supports one range of bytes. Ignores several ranges and other units,
 * as the standard allows.
 * @returns null for the whole file, `unsatisfiable` if the range is beyond its end
 */
export function parseRange(header: string | null, size: number): ByteRange | null | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (!match) return null
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return null
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { offset: size - length, length }
  }
  const offset = Number(first)
  if (last !== '' && Number(last) < offset) return null
  if (offset >= size) return 'unsatisfiable'
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return { offset, length: end - offset + 1 }
}

async function download(c: AppContext): Promise<Response> {
  const { caller } = c.var
  if (!holds(caller, 'read')) {
    throw new CoordinatorError('forbidden', 'This key lacks the scope "read".', {
      hint: 'Use a key with the scope "read".',
    })
  }
  const services = c.var.services()
  const id = c.req.param('dataset_id') ?? ''
  const dataset = await findDataset(services.database, id, caller.project)
  if (!dataset) throw notFound('dataset', 'dataset_id', 'List what there is with list_datasets.')
  const etag = `"${dataset.sha256}"`
  const headers = {
    ETag: etag,
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'private, max-age=31536000, immutable',
  }
  if (c.req.header('if-none-match')?.includes(etag)) return new Response(null, { status: 304, headers })
  const ifRange = c.req.header('if-range')
  const range =
    ifRange === undefined || ifRange === etag ? parseRange(c.req.header('range') ?? null, dataset.bytes) : null
  if (range === 'unsatisfiable') {
    return problemResponse(
      invalidInput('Range', `The range lies beyond the end of the dataset, which has ${dataset.bytes} bytes.`, {
        limit: dataset.bytes,
        hint: 'Ask for bytes before the end.',
      }),
      c.var.requestId,
      { 'Content-Range': `bytes */${dataset.bytes}` },
      416,
    )
  }
  const object = await services.datasets.get(dataset.key, range === null ? {} : { range })
  if (!object)
    throw new CoordinatorError('not_found', 'The file of this dataset is no longer stored.', { field: 'dataset_id' })
  const length = range === null ? object.size : range.length
  return new Response(object.body.pipeThrough(new FixedLengthStream(length)), {
    status: range === null ? 200 : 206,
    headers: {
      ...headers,
      'Content-Type': 'application/x-ndjson',
      'Content-Disposition': `attachment; filename="${dataset.id}.jsonl"`,
      ...(range !== null && {
        'Content-Range': `bytes ${range.offset}-${range.offset + range.length - 1}/${dataset.bytes}`,
      }),
    },
  })
}
