/**
 * `npm run check`: what is checked before a commit. With `-- fix` it formats and fixes what can be fixed; with `-- reference` it writes
 * docs/api.md and docs/settings.md.
 * @module
 */
import { spawnSync } from 'node:child_process'

const [what = 'all', ...parameters] = process.argv.slice(2)
const STEPS = {
  all: ['biome check .', 'tsc --noEmit', 'tsc --noEmit -p test', 'tsc --noEmit -p cli'],
  fix: ['biome check --write .'],
  reference: [['node scripts/reference/reference.ts', ...parameters].join(' ')],
}
const steps = Object.hasOwn(STEPS, what) ? STEPS[what] : undefined
if (steps === undefined) {
  process.stderr.write(`There is no "${what}". Use npm run check, -- fix, or -- reference.\n`)
  process.exit(2)
}
for (const step of steps) {
  // npm puts the programs of node_modules first in PATH.
  const { status } = spawnSync(step, { stdio: 'inherit', shell: true })
  if (status !== 0) process.exit(status ?? 1)
}
