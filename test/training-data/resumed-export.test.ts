/**
 * An export that dies between any two steps of its upload continues with the parts in R2, and ends with the same bytes.
 */
import { expect, it } from 'vitest'
import type { Services } from '../../src/services.ts'
import { nightlySettings } from '../../src/training-data/settings.ts'
import { PART_BYTES } from '../../src/training-data/sink.ts'
import { abortUploads, uploadInParts } from '../../src/training-data/upload.ts'
import { Died, KillSwitch, mortalServices } from '../jobs/faults.ts'
import { bindings, freshProject, testServices } from '../outcomes/support.ts'
import { exportAll } from './dataset-support.ts'

/** One whole part and a piece. */
const CHUNKS = Array.from({ length: 9 }, (_, i) => new Uint8Array(1024 * 1024 + i).fill(65 + i))
const PARTS = 2
const EXPECTED = await sha256(await new Blob(CHUNKS).arrayBuffer())

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * A bucket whose calls are steps of a Worker that may die. `sent` grows with each uploaded part; `noteSent` is called
 * afterwards.
 */
function mortalBucket(
  kill: KillSwitch,
  sent: number[],
  noteSent: (number: number) => void = () => undefined,
): R2Bucket {
  const mortal = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(_, name) {
        const value = Reflect.get(target, name) as unknown
        if (typeof value !== 'function') return value
        // It only refers to an upload and makes no R2 call.
        if (name === 'resumeMultipartUpload') {
          return (...parameters: [string, string]) => mortal(bindings.DATASETS.resumeMultipartUpload(...parameters))
        }
        return (...parameters: unknown[]) =>
          kill.step(async () => {
            if (name === 'uploadPart') sent.push(Number(parameters[0]))
            const result = (await Reflect.apply(value, target, parameters)) as unknown
            if (name === 'uploadPart') noteSent(Number(parameters[0]))
            return name === 'createMultipartUpload' ? mortal(result as R2MultipartUpload) : result
          })
      },
    })
  return mortal(bindings.DATASETS)
}

/** Runs work in a Worker that dies after the given number of steps; null: never. */
async function live<T>(
  steps: number | null,
  after: boolean,
  work: (services: Services) => Promise<T>,
): Promise<{ result: T | null; sent: number[] }> {
  const kill = new KillSwitch(steps, after)
  const sent: number[] = []
  const services = mortalServices(testServices(), kill, () => undefined)
  try {
    return { result: await work({ ...services, datasets: mortalBucket(kill, sent) }), sent }
  } catch (error) {
    if (!kill.dead) throw error
    return { result: null, sent }
  }
}

const upload = (project: string) => (services: Services) =>
  uploadInParts(services, { project, key: `${project}/file`, expected: EXPECTED }, async (sink) => {
    for (const chunk of CHUNKS) await sink.write(chunk)
  })

/** Numbers of the recorded parts of a project's unfinished upload; null: there is none. */
async function noted(project: string): Promise<string[] | null> {
  const row = await bindings.DB.prepare('SELECT parts FROM export_uploads WHERE project = ?').bind(project).first()
  return row ? Object.keys(JSON.parse(String(row.parts)) as object) : null
}

it('sends no recorded part twice, wherever it dies', async () => {
  let [deaths, spared] = [0, 0]
  for (let step = 0; ; step++) {
    const project = freshProject()
    const first = await live(step, step % 2 === 1, upload(project))
    const known = (await noted(project)) ?? []
    const second = await live(null, false, upload(project))
    expect(second.result).toBe(true)
    const stored = await bindings.DATASETS.get(`${project}/file`)
    expect(await sha256((await stored?.arrayBuffer()) ?? new ArrayBuffer(0))).toBe(EXPECTED)
    expect(await noted(project)).toBeNull()
    if (first.result) break
    deaths++
    expect(second.sent.filter((number) => known.includes(String(number)))).toEqual([])
    spared += known.length
  }
  // It dies when starting, recording and completing the upload, and when sending and recording each part.
  expect(deaths).toBeGreaterThanOrEqual(2 * PARTS + 4)
  expect(spared).toBeGreaterThanOrEqual(PARTS)
})

it('ends with the right bytes if two upload the same concurrently', async () => {
  const project = freshProject()
  const results = await Promise.allSettled([1, 2].map(() => live(null, false, upload(project))))
  // The parts of one may be replaced by the other's; the next run completes what is there then.
  if (!results.some(({ status }) => status === 'fulfilled')) await live(null, false, upload(project))
  const stored = await bindings.DATASETS.get(`${project}/file`)
  expect(await sha256((await stored?.arrayBuffer()) ?? new ArrayBuffer(0))).toBe(EXPECTED)
  expect(await noted(project)).toBeNull()
})

it('sends a part again if its bytes differ from the earlier ones', async () => {
  const project = freshProject()
  const begun = await bindings.DATASETS.createMultipartUpload(`${project}/file`)
  const { etag } = await begun.uploadPart(1, new Uint8Array(PART_BYTES))
  await bindings.DB.prepare(
    'INSERT INTO export_uploads (key, project, upload_id, parts, started_at) VALUES (?, ?, ?, ?, ?)',
  )
    .bind(
      `${project}/file`,
      project,
      begun.uploadId,
      JSON.stringify({ 1: { etag, sha256: '0'.repeat(64) } }),
      testServices().now(),
    )
    .run()
  expect(await live(null, false, upload(project))).toEqual({ result: true, sent: [1, 2] })
})

it('stores nothing if the content does not match its hash', async () => {
  const project = freshProject()
  const target = { project, key: `${project}/file`, expected: '0'.repeat(64) }
  expect(await uploadInParts(testServices(), target, (sink) => sink.write(new Uint8Array(9)))).toBe(false)
  expect(await bindings.DATASETS.head(target.key)).toBeNull()
  expect(await noted(project)).toBeNull()
})

/** Leaves a project's upload unfinished. */
async function abandon(project: string): Promise<void> {
  for (let step = 0; (await noted(project)) === null; step++) await live(step, false, upload(project))
}

it('starts again in the run after R2 has aborted the upload, or if it is so old that R2 is about to', async () => {
  const project = freshProject()
  await abandon(project)
  const row = await bindings.DB.prepare('SELECT upload_id FROM export_uploads WHERE project = ?').bind(project).first()
  await bindings.DATASETS.resumeMultipartUpload(`${project}/file`, String(row?.upload_id)).abort()
  await expect(live(null, false, upload(project))).rejects.toThrow('10024')
  expect((await live(null, false, upload(project))).result).toBe(true)

  const old = freshProject()
  await abandon(old)
  await bindings.DB.prepare('UPDATE export_uploads SET started_at = 0 WHERE project = ?').bind(old).run()
  expect(await live(null, false, upload(old))).toEqual({ result: true, sent: [1, 2] })
})

it('is aborted with the data that it was made from', async () => {
  const project = freshProject()
  await abandon(project)
  expect(await abortUploads(testServices(), project)).toBe(1)
  expect(await noted(project)).toBeNull()
})

it('creates a dataset with the same bytes after its export was killed between two parts', async () => {
  const project = freshProject()
  await bindings.DB.prepare(
    `INSERT INTO interactions (id, project, query, response, agent_type, model_used, tokens_used, latency_ms, tags, outcome,
       value_score, revision, created_at, updated_at)
     WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 150)
     SELECT ?1 || printf('-%08d', i), ?1, 'question ' || i, i || replace(hex(zeroblob(3000)), '00', ' twenty characters, ok'), 'remote',
       'm', 0, 0, '[]', 'success', 0.9, 1, i, i FROM n`,
  )
    .bind(project)
    .run()
  const run = (services: Services) => exportAll(services, nightlySettings(project, 0.7))
  // Sends the second part and dies before recording it.
  const kill = new KillSwitch(null, false)
  const sent: number[] = []
  const bucket = mortalBucket(kill, sent, (number) => {
    kill.dead = number === 2
  })
  const services = { ...mortalServices(testServices(), kill, () => undefined), datasets: bucket }
  await expect(run(services)).rejects.toBeInstanceOf(Died)
  expect([sent, await noted(project)]).toEqual([[1, 2], ['1']])

  const resumed = await live(null, false, run)
  expect(resumed.sent).toEqual([2])
  const { key, sha256: named, rows } = resumed.result?.dataset ?? { key: '', sha256: '', rows: 0 }
  expect(rows).toBe(150)
  const stored = await bindings.DATASETS.get(key)
  expect(await sha256((await stored?.arrayBuffer()) ?? new ArrayBuffer(0))).toBe(named)
  expect(await noted(project)).toBeNull()
})
