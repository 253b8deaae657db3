import { applyD1Migrations } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, expect } from 'vitest'
import { enforcePlatformLimits, takeViolations } from './platform-limits.ts'

beforeAll(() => applyD1Migrations(env.DB, env.TEST_MIGRATIONS))
beforeAll(enforcePlatformLimits)

// A limit may be passed where the error is caught; on the platform the invocation would have ended there.
afterEach(() => {
  expect(takeViolations()).toEqual([])
})
