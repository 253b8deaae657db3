/**
 * Preloaded into a measured command: writes its peak memory and CPU time to the file USAGE_FILE at exit.
 * @module
 */
import { writeFileSync } from 'node:fs'

process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  writeFileSync(process.env.USAGE_FILE, JSON.stringify({ kilobytes: maxRSS, cpu: (userCPUTime + systemCPUTime) / 1e6 }))
})
