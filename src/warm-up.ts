/**
 * Work that the first request of an isolate would else wait for: regular expressions are compiled when they are first used, and so is the
 * code around them. Start-up has a second of CPU of its own (developers.cloudflare.com/workers/platform/limits, "Worker startup time").
 * @module
 */
import { redact } from './security/redact.ts'
import { analyseQuery } from './text/query-analysis.ts'
import { tokenCounter } from './text/token-counter.ts'

/** Something of each kind that a question may hold, so that every rule looks at it. */
const SAMPLE = [
  'How does `parse_config()` in src/config/parser.ts read key: value pairs, and why does "TypeError: x is not a function" follow?',
  '    at Parser.read (src/config/parser.ts:12:5)',
  'api_key, token, password, secret, private, Bearer, https://user@example.com/path?query=1, kind: Secret, -----BEGIN',
].join('\n')

/** Runs what every prompt runs, once, on a sample. Touches neither clock nor network. */
export function warmUp(): void {
  redact(SAMPLE)
  analyseQuery(SAMPLE)
  void tokenCounter().then((countTokens) => countTokens(SAMPLE))
}
