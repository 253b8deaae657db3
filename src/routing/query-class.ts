/**
 * Classifies the kind of work that a query asks for. Pure.
 * @module
 */
import type { QueryAnalysis } from '../text/query-analysis.ts'

export const QUERY_CLASSES = ['general', 'coding', 'analysis'] as const
export type QueryClass = (typeof QUERY_CLASSES)[number]

const CODING =
  /\b(?:code|function|method|class|bug|compile|compiler|test|tests|refactor|api|endpoint|sql|regex|script|deploy|docker|git|merge|commit|import|package|dependency|library|framework|typescript|javascript|python|rust|java|bash|css|html|json|yaml|nginx|kubernetes)\b/i
const ANALYSIS =
  /\b(?:analy[sz]e|analysis|compare|comparison|evaluate|assess|trade-?offs?|pros and cons|summar[iy][sz]?e?|why|cause|causes|trend|forecast|estimate|correlat\w+|statistic\w*|explain|interpret|report|metrics?)\b/i

/**
 * Coding if the query contains code, an error, a path, a name from code or programming terms; analysis if it asks for
 * judgement.
 */
export function queryClass(analysis: QueryAnalysis): QueryClass {
  const { code, errors, errorCodes, identifiers, paths, prose } = analysis
  if (code.length + errors.length + errorCodes.length + identifiers.length + paths.length > 0) return 'coding'
  if (CODING.test(prose)) return 'coding'
  return ANALYSIS.test(prose) ? 'analysis' : 'general'
}

/** Names of the models of a llama.cpp server in router mode. */
export interface LocalModelSettings {
  readonly LLAMA_CPP_MODEL?: string
  readonly LLAMA_CPP_CODING_MODEL?: string
  readonly LLAMA_CPP_ANALYSIS_MODEL?: string
}

/** The local model for a class of query: the model of the class, or the general one; null: the server's default. */
export function localModelFor(kind: QueryClass, settings: LocalModelSettings): string | null {
  const { LLAMA_CPP_MODEL: general, LLAMA_CPP_CODING_MODEL: coding, LLAMA_CPP_ANALYSIS_MODEL: analysis } = settings
  return { general, coding, analysis }[kind] ?? general ?? null
}

/** Every named local model, without duplicates. */
export function namedLocalModels(settings: LocalModelSettings): string[] {
  return [...new Set(QUERY_CLASSES.flatMap((kind) => localModelFor(kind, settings) ?? []))]
}
