/** A faulty environment: messages are dropped, duplicated and reordered, and the Worker dies between any two steps. */
import { openDatabase } from '../../src/database/database.ts'
import type { Services } from '../../src/services.ts'
import { bindings, type TestServices } from '../outcomes/support.ts'
import { type KillSwitch, mortal, mortalDatabase } from './kill-switch.ts'

export { Died, KillSwitch } from './kill-switch.ts'

/** The services of one invocation that dies at its switch. Stored data is shared with the others. */
export function mortalServices(
  services: TestServices,
  kill: KillSwitch,
  enqueue: (ids: readonly string[]) => void,
): Services {
  return {
    ...services,
    database: openDatabase(mortalDatabase(bindings.DB, kill)),
    knowledge: mortal(services.knowledge, kill, ['entries']),
    datasets: mortal(bindings.DATASETS, kill),
    enqueueJobs: async (ids) => kill.step(async () => enqueue(ids)),
  }
}
