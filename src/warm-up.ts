/**
 * Work that the first request of an isolate would otherwise wait for: regular expressions, and the code around them,
 * are compiled on first use. Start-up has its own CPU limit of one second
 * (developers.cloudflare.com/workers/platform/limits, "Worker startup time").
 * @module
 */
import { redact } from './security/redact.ts'
import { analyseQuery } from './text/query-analysis.ts'
import { tokenCounter } from './text/token-counter.ts'

/** A sample of every kind of content in a question, so that every rule runs. */
const SAMPLE = [
  'How does `parse_config()` in src/config/parser.ts read key: value pairs, and why does "TypeError: x is not a function" follow?',
  '    at Parser.read (src/config/parser.ts:12:5)',
  'api_key, token, password, secret, private, Bearer, https://user@example.com/path?query=1, kind: Secret, -----BEGIN',
].join('\n')

/** Runs the code of every prompt once, on a sample. Uses neither clock nor network. */
export function warmUp(): void {
  redact(SAMPLE)
  analyseQuery(SAMPLE)
  void tokenCounter().then((countTokens) => countTokens(SAMPLE))
}
