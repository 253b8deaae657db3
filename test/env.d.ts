import type { D1Migration } from 'cloudflare:test'
import type { Env as WorkerEnv } from '../src/env.ts'

declare global {
  namespace Cloudflare {
    interface Env extends WorkerEnv {
      /** The migrations folder, read when the tests start. */
      TEST_MIGRATIONS: D1Migration[]
    }
  }
}
