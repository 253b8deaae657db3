import { describe, expect, it } from 'vitest'
import { deleteDataset } from '../../src/operations/training-data/delete-dataset.ts'
import { generateTrainingData } from '../../src/operations/training-data/generate-training-data.ts'
import { PART_BYTES } from '../../src/training-data/sink.ts'
import { bindings, call, finish, freshProject, testServices } from '../outcomes/support.ts'

/** Interactions; 200,000 with VITE_EXPORT_ROWS=200000 in the environment. */
const ROWS = Number((import.meta as { env?: Record<string, string> }).env?.VITE_EXPORT_ROWS ?? 10_000)
/** What an isolate may hold is 128 MB; pages and parts stay far below it. */
const MAX_CHUNK = 16 * 1024 * 1024

interface Made {
  dataset_id: string
  rows: number
  bytes: number
  sha256: string
}

describe('a large export', () => {
  it(`takes ${ROWS} interactions in bounded pieces and gives the same hash again`, { timeout: 600_000 }, async () => {
    const project = freshProject()
    // 1,200 characters of answer each, made by the database itself.
    await bindings.DB.prepare(
      `INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, outcome,
         value_score, revision, created_at, updated_at)
       WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
       SELECT printf('%08d-0000-7000-8000-000000000000', i), ?2, 'question ' || i, i || hex(zeroblob(600)), 'remote', 'm', 0, 0, '[]',
         'success', 0.9, 1, i, i FROM n`,
    )
      .bind(ROWS, project)
      .run()

    let largest = 0
    let parts = 0
    const note = (size: number) => {
      largest = Math.max(largest, size)
    }
    const services = testServices()
    const bucket = services.datasets
    const watched = new Proxy(bucket, {
      get(target, name) {
        if (name !== 'createMultipartUpload') {
          const value = Reflect.get(target, name) as unknown
          return typeof value === 'function' ? value.bind(target) : value
        }
        return async (...parameters: Parameters<R2Bucket['createMultipartUpload']>) => {
          const upload = await target.createMultipartUpload(...parameters)
          return {
            uploadId: upload.uploadId,
            complete: (all: R2UploadedPart[]) => upload.complete(all),
            abort: () => upload.abort(),
            uploadPart: (number: number, part: Uint8Array) => {
              parts++
              note(part.length)
              return upload.uploadPart(number, part)
            },
          }
        }
      },
    })
    const run = () => finish<Made>(generateTrainingData, { ...services, datasets: watched }, { project })

    const started = Date.now()
    const made = await run()
    console.log(`${made.rows} rows, ${(made.bytes / 1e6).toFixed(1)} MB, ${parts} parts, ${Date.now() - started} ms`)
    expect(made.rows).toBe(ROWS)
    expect(parts).toBe(Math.ceil(made.bytes / PART_BYTES))
    expect(largest).toBeLessThanOrEqual(MAX_CHUNK)
    await call(deleteDataset, services, { dataset_id: made.dataset_id })
    expect((await run()).sha256).toBe(made.sha256)
  })
})
