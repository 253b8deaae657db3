import { applyD1Migrations } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { enforcePlatformLimits, takeViolations } from './platform-limits.ts'
import { deleteQdrantCollections, hideQdrantFromSpies, ownQdrantCollections } from './qdrant-server.ts'

beforeAll(() => applyD1Migrations(env.DB, env.TEST_MIGRATIONS))
beforeAll(enforcePlatformLimits)

ownQdrantCollections()
hideQdrantFromSpies()
afterAll(deleteQdrantCollections)

// A limit may be exceeded where the error is caught; on the platform, the invocation would have ended there.
afterEach(() => {
  expect(takeViolations()).toEqual([])
})
