import { applyD1Migrations, reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest'
import { enforcePlatformLimits, takeViolations } from './platform-limits.ts'
import { deleteQdrantCollections, hideQdrantFromSpies, ownQdrantCollections } from './qdrant-server.ts'

// Files share a workerd process, since starting one takes longer than most files do: what a file leaves is removed.
const bindings = { ...env }
afterAll(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  for (const name of Object.keys(env)) if (!(name in bindings)) Reflect.deleteProperty(env, name)
  Object.assign(env, bindings)
  await reset()
})

beforeAll(() => applyD1Migrations(env.DB, env.TEST_MIGRATIONS))
beforeAll(enforcePlatformLimits)

ownQdrantCollections()
hideQdrantFromSpies()
afterAll(deleteQdrantCollections)

// A limit may be exceeded where the error is caught; on the platform, the invocation would have ended there.
afterEach(() => {
  expect(takeViolations()).toEqual([])
})
