/** {@link prepareBy} in the Worker under test. */
import { OPERATIONS } from '../../src/operations/index.ts'
import { type Prepared, prepareBy } from './sample-inputs.ts'
import { callRest } from './worker-client.ts'

export { type Prepared, SAMPLES } from './sample-inputs.ts'

/** Prepares a project over REST. */
export function prepare(project: string): Promise<Prepared> {
  return prepareBy((name, input) => {
    const operation = OPERATIONS.find((known) => known.name === name)
    if (!operation) throw new Error(`There is no operation ${name}.`)
    return callRest(operation, input)
  }, project)
}
