/**
 * Keeps the ingested knowledge of the agent's folder up to date: runs `sources refresh` of this checkout in the
 * background. Reads only folders that a user has ingested before.
 * @module
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const COMMAND = fileURLToPath(new URL('../../cli/main.mjs', import.meta.url))

/**
 * Starts a refresh without waiting for it.
 * @param {import('./settings.mjs').HookSettings} settings
 * @param {string} folder the agent's working directory
 */
export function refreshInBackground(settings, folder) {
  // The hooks may have been copied elsewhere without the command.
  if (!settings.refresh || !existsSync(COMMAND)) return
  const { url, project, key } = settings
  const place = ['--dir', folder, '--url', url, '--project', project]
  const { HYBRID_API_KEY: _, ...env } = process.env
  // OpenCode is a compiled program: its runtime is not Node.
  const node = process.versions.bun ? 'node' : process.execPath
  spawn(node, [COMMAND, 'sources', 'refresh', ...place, '--quiet'], {
    detached: true,
    stdio: 'ignore',
    windowsHide: true,
    env: { ...env, ...(key && { HYBRID_API_KEY: key }) },
  })
    .on('error', () => undefined)
    .unref()
}
