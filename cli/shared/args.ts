/**
 * Arguments of the command line: a thin layer over `node:util` that converts every mistake to a UsageError.
 * @module
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { style } from './terminal.ts'

/** The command was used incorrectly: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/**
 * Prints a usage error, and where to find help.
 * @param command - the command as typed after `npm run`, up to `--help`
 * @returns the exit code
 * @throws any other error
 */
export function reportUsage(error: unknown, command: string): 2 {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${style('red', error.message)}\nSee npm run ${command} --help\n`)
  return 2
}

type OptionTable = NonNullable<ParseArgsConfig['options']>

/**
 * Parses arguments strictly.
 * @param argv - arguments after the command's name
 * @throws UsageError naming the invalid argument
 */
export function parseArguments<T extends OptionTable>(argv: string[], options: T) {
  try {
    return parseArgs({ args: argv, options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message.split('. To specify')[0] : String(error))
  }
}

/**
 * Parses sizes such as `512`, `512k`, `2M`, `1GiB` (all binary multiples) to bytes.
 * @throws UsageError if it is not a positive size
 */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(k|m|g)?(?:i?b)?$/i.exec(text.trim())
  const unit = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match?.[2]?.toLowerCase() ?? ''] ?? 1
  const bytes = Math.floor(Number(match?.[1] ?? Number.NaN) * unit)
  if (!Number.isFinite(bytes) || bytes <= 0)
    throw new UsageError(`${option} must be a size such as 512k or 2M, not "${text}"`)
  return bytes
}

/**
 * Parses an http or https URL, and removes a trailing slash.
 * @throws UsageError if it is not one
 */
export function parseUrl(text: string, option: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UsageError(`${option} must be a URL such as http://127.0.0.1:8787, not "${text}"`)
  return text.replace(/\/+$/, '')
}
