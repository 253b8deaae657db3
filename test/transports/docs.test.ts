import { env } from 'cloudflare:workers'
import { describe, expect, test } from 'vitest'
import { ERROR_STATUS } from '../../src/errors.ts'
import { OPERATIONS } from '../../src/operations/index.ts'
import type { Operation } from '../../src/operations/operation.ts'
import { type OpenApiDocument, openApiDocument } from '../../src/transports/openapi.ts'
import { KEY, SMALL_TABLE, send } from './small-table.ts'

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

interface DescribedRoute {
  operationId: string
  summary: string
  tags: string[]
  parameters?: { name: string; in: string; required: boolean; schema?: object; content?: object }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, object>
}

/** Requirements of the OpenAPI 3.1 specification for the parts that we use. */
function check(document: OpenApiDocument): void {
  expect(document.openapi).toMatch(/^3\.1\.\d+$/)
  expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) })
  const tags = new Set((document.tags as { name: string }[]).map(({ name }) => name))
  const ids = new Set<string>()
  for (const [path, item] of Object.entries(document.paths)) {
    expect(path).toMatch(/^\//)
    for (const [method, described] of Object.entries(item)) {
      const route = described as unknown as DescribedRoute
      expect(METHODS).toContain(method)
      expect(ids.has(route.operationId), `${route.operationId} is unique`).toBe(false)
      ids.add(route.operationId)
      for (const tag of route.tags) expect(tags).toContain(tag)
      expect(Object.keys(route.responses).length).toBeGreaterThan(1)
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      expect(route.parameters?.filter((parameter) => parameter.in === 'path').map(({ name }) => name) ?? []).toEqual(
        inPath,
      )
      for (const parameter of route.parameters ?? []) {
        if (parameter.in === 'path') expect(parameter.required).toBe(true)
        expect(Number(parameter.schema !== undefined) + Number(parameter.content !== undefined)).toBe(1)
      }
      if (method === 'get' || method === 'delete') expect(route.requestBody).toBeUndefined()
    }
  }
  for (const reference of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)) {
    expect(resolve(document, reference[1] ?? ''), reference[1]).toBeTypeOf('object')
  }
}

function resolve(document: OpenApiDocument, pointer: string): unknown {
  expect(pointer).toMatch(/^#\/components\//)
  return pointer
    .slice(2)
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document)
}

describe.each<[string, readonly Operation[]]>([
  ['small table', SMALL_TABLE],
  ['operations', OPERATIONS],
])('the OpenAPI document of the %s', (_, operations) => {
  const document = openApiDocument(operations)

  test('is valid, and every reference resolves', () => check(document))

  test('has every route of every operation', () => {
    for (const operation of operations) {
      for (const route of operation.http) {
        expect(document.paths[route.path], route.path).toHaveProperty(route.method.toLowerCase())
      }
    }
  })

  test('describes both special routes', () => {
    expect(document.paths['/feedback']).toHaveProperty('post')
    expect(document.paths['/learning/datasets/{dataset_id}/download']).toHaveProperty('get')
  })

  test('is built once per application and describes renamed fields', async () => {
    const served = (await (await send('/openapi.json')).json()) as OpenApiDocument
    expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument(SMALL_TABLE))))
    expect(JSON.stringify(served.paths['/query'])).toContain('Another name of query.')
  })
})

describe('pages', () => {
  test('the index lists the endpoints', async () => {
    expect(await (await send('/')).json()).toMatchObject({ mcp: '/mcp', docs: '/docs', health: '/health' })
  })

  test.each(['/docs/', '/docs/errors', '/docs/page.js', '/docs/page.css'])(
    '%s is served with a policy',
    async (path) => {
      const response = await send(path, {}, { HYBRID_API_KEY: KEY })
      expect(response.status).toBe(200)
      expect(response.headers.get('content-security-policy')).toContain("default-src 'self'")
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('x-request-id')).toBeTruthy()
    },
  )

  test('/docs redirects to the page', async () => {
    const response = await send('/docs', { redirect: 'manual' })
    expect([200, 307, 308]).toContain(response.status)
  })

  test('a missing page is a problem', async () => {
    const response = await send('/docs/nothing')
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'not_found' })
  })

  test('pages load nothing from other hosts and run no inline script', async () => {
    for (const path of ['/docs/', '/docs/errors']) {
      const html = await (await env.ASSETS.fetch(new Request(`http://localhost${path}`))).text()
      expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
      expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/)
      expect(html).not.toMatch(/\son\w+=|<style/)
    }
  })

  test('every error code is explained', async () => {
    const html = await (await env.ASSETS.fetch(new Request('http://localhost/docs/errors'))).text()
    for (const [code, status] of Object.entries(ERROR_STATUS))
      expect(html).toContain(`<dt id="${code}"><code>${code}</code> (${status})`)
  })
})
