/**
 * What lies beside every dataset: a sheet that says what it is, and the list of what it came from.
 * @module
 */

import type { Example } from '../database/queries/exports.ts'
import { tokenCounter } from '../text/token-counter.ts'

/** Characters whose tokens are counted; the total of more is extrapolated from them. */
const COUNTED_CHARACTERS = 2_000_000

/** The part of a datasheet that is gathered while the examples stream by. */
export interface SheetFigures {
  /** Tokens of prompts and answers (cl100k_base), without the system prompt. */
  readonly tokens: { readonly value: number; readonly source: 'measured' | 'estimated' }
  /** Credentials that were replaced, by kind. */
  readonly redacted: Readonly<Record<string, number>>
  readonly from_interactions: number
  readonly from_corrections: number
}

/** Gathers the figures and the lineage of a stream of examples. */
export class SheetRecorder {
  readonly redacted: Record<string, number> = {}
  readonly #lineage: string[] = []
  #counted = 0
  #tokens = 0
  #characters = 0
  #corrections = 0

  async record(examples: readonly Example[]): Promise<void> {
    const count = await tokenCounter()
    for (const example of examples) {
      if (example.correction) this.#corrections++
      this.#lineage.push(example.id)
      const characters = example.prompt.length + example.answer.length + (example.rejected?.length ?? 0)
      this.#characters += characters
      if (this.#counted >= COUNTED_CHARACTERS) continue
      this.#counted += characters
      this.#tokens += count(example.prompt) + count(example.answer) + count(example.rejected ?? '')
    }
  }

  figures(): SheetFigures {
    const rows = this.#lineage.length
    const measured = this.#counted === this.#characters
    return {
      tokens: {
        value: measured ? this.#tokens : Math.round((this.#tokens / this.#counted) * this.#characters),
        source: measured ? 'measured' : 'estimated',
      },
      redacted: this.redacted,
      from_interactions: rows - this.#corrections,
      from_corrections: this.#corrections,
    }
  }

  /** Ids of the interactions and corrections, one a line, in the order of the dataset's rows. */
  lineage(): string {
    return this.#lineage.map((id) => `${id}\n`).join('')
  }
}

/** Keys of the files beside a dataset. */
export function companionKeys(key: string): { readonly sheet: string; readonly lineage: string } {
  const base = key.replace(/\.jsonl$/, '')
  return { sheet: `${base}.datasheet.json`, lineage: `${base}.lineage.txt` }
}
