/**
 * Preloaded into a command that is measured: writes its peak memory and CPU time to the file USAGE_FILE when it ends.
 * @module
 */
import { writeFileSync } from 'node:fs'

process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  writeFileSync(process.env.USAGE_FILE, JSON.stringify({ kilobytes: maxRSS, cpu: (userCPUTime + systemCPUTime) / 1e6 }))
})
