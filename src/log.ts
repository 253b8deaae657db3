/**
 * Log lines: one JSON object each, with its trace. No line contains user content.
 * @module
 */
import { redact } from './security/redact.ts'
import { currentTrace } from './tracing.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** Writes a line unless it is less severe than `least` (the setting LOG_LEVEL). */
export function log(
  level: LogLevel,
  event: string,
  fields: Readonly<Record<string, unknown>>,
  least: LogLevel = 'info',
): void {
  if (SEVERITY[level] < SEVERITY[least]) return
  const trace = currentTrace()
  const line = JSON.stringify({
    level,
    event,
    ...(trace && { trace_id: trace.traceId, span_id: trace.spanId }),
    ...fields,
  })
  const method = level === 'debug' ? 'debug' : level === 'info' ? 'log' : level
  console[method](redact(line))
}
