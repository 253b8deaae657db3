#!/usr/bin/env node
/**
 * Starts the command line with a Node that runs TypeScript: this one, or the one that the package includes.
 * @module
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = join(dirname(fileURLToPath(import.meta.url)), 'main.ts')
// Types are stripped and modules compiled once, not in every run. The cache folder is inside this package, because
// others may write to a shared one.
const cache = join(dirname(main), '../node_modules/.cache/hybrid-coordinator')
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
// Node runs TypeScript without a flag from 22.18 and 23.6 on.
if (major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)) {
  module.enableCompileCache(cache)
  await import('./main.ts')
} else {
  const node = bundledNode()
  if (node === undefined) {
    process.stderr.write(
      `This is Node ${process.versions.node}. The command line needs Node 22.18 or newer, or the one that comes with \`npm install\`.\n` +
        'Run `npm install` in the folder of Hybrid Coordinator, then use `npm run <command>`.\n',
    )
    process.exit(1)
  }
  const child = spawn(node, [...process.execArgv, main, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: cache, ...process.env },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
}

/** The package's own Node for this platform; undefined: not installed. */
function bundledNode() {
  const require = createRequire(import.meta.url)
  const platform = process.platform === 'win32' ? 'win' : process.platform
  for (const name of [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`]) {
    try {
      const folder = dirname(require.resolve(`${name}/package.json`))
      const path = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
      if (existsSync(path)) return path
    } catch {
      // Not available for this platform.
    }
  }
  return undefined
}
