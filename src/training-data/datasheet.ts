/**
 * The companion files of every dataset: a datasheet that describes it, and the list of its sources.
 * @module
 */

import type { Example } from '../database/queries/exports.ts'
import { tokenCounter } from '../text/token-counter.ts'

/** Number of characters whose tokens are counted. Beyond it, the total is extrapolated. */
const COUNTED_CHARACTERS = 2_000_000

/** The part of a datasheet that is collected while the examples are streamed. */
export interface SheetFigures {
  /** Tokens of prompts and answers (cl100k_base), without the system prompt. */
  readonly tokens: { readonly value: number; readonly source: 'measured' | 'estimated' }
  /** Number of replaced credentials by kind. */
  readonly redacted: Readonly<Record<string, number>>
  readonly from_interactions: number
  readonly from_corrections: number
}

/** The collected figures, as stored between two runs of an export. */
export interface SheetState {
  readonly redacted: Readonly<Record<string, number>>
  readonly rows: number
  readonly corrections: number
  readonly tokens: number
  /** Characters whose tokens were counted, and all characters. */
  readonly counted: number
  readonly characters: number
}

export const NO_FIGURES: SheetState = { redacted: {}, rows: 0, corrections: 0, tokens: 0, counted: 0, characters: 0 }

/** Collects the figures of a stream of examples. */
export class SheetRecorder {
  readonly redacted: Record<string, number>
  #state: SheetState

  constructor(state: SheetState = NO_FIGURES) {
    this.#state = state
    this.redacted = { ...state.redacted }
  }

  get state(): SheetState {
    return { ...this.#state, redacted: { ...this.redacted } }
  }

  async record(examples: readonly Example[]): Promise<void> {
    const count = await tokenCounter()
    let { rows, corrections, tokens, counted, characters } = this.#state
    for (const example of examples) {
      rows++
      if (example.correction) corrections++
      const length = example.prompt.length + example.answer.length + (example.rejected?.length ?? 0)
      characters += length
      if (counted >= COUNTED_CHARACTERS) continue
      counted += length
      tokens += count(example.prompt) + count(example.answer) + count(example.rejected ?? '')
    }
    this.#state = { ...this.#state, rows, corrections, tokens, counted, characters }
  }

  figures(): SheetFigures {
    const { rows, corrections, tokens, counted, characters } = this.#state
    const measured = counted === characters
    return {
      tokens: {
        value: measured ? tokens : Math.round((tokens / counted) * characters),
        source: measured ? 'measured' : 'estimated',
      },
      redacted: this.redacted,
      from_interactions: rows - corrections,
      from_corrections: corrections,
    }
  }
}

/** Keys of a dataset's companion files. */
export function companionKeys(key: string): { readonly sheet: string; readonly lineage: string } {
  const base = key.replace(/\.jsonl$/, '')
  return { sheet: `${base}.datasheet.json`, lineage: `${base}.lineage.txt` }
}
