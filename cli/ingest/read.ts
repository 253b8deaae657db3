/**
 * Reads a file and decides whether its text should be stored.
 * @module
 */
import { readFileSync } from 'node:fs'
import { createDecoder } from './encoding.ts'
import { isDocumentFormat, isReferencePage, renderDocument, renderText } from './formats.ts'
import { type Language, languageOf } from './languages.ts'
import { type SkipReason, skipByText, withoutLongLiterals, withoutPrivateKeys } from './skip-rules.ts'
import type { FoundFile } from './walk.ts'

/** A file's text, ready to be split. */
export interface Content {
  text: string
  language: Language
  /** The file's line number of each line of the text, if they differ; empty: the lines don't correspond. */
  lines?: number[]
  /** Whether a part of the file's text was left out. */
  shortened?: boolean
}

/** Reads the files of one code base. */
export class Reader {
  private readonly decoder = createDecoder()

  /**
   * A file's bytes; undefined if it can't be read. Reads synchronously: most files are small, and awaiting each one
   * takes longer than reading it.
   */
  bytes(file: FoundFile): Buffer | undefined {
    try {
      return readFileSync(file.absolute)
    } catch {
      return undefined
    }
  }

  /**
   * The text of a file, or the reason for skipping it. `encoding unclear` may be resolved after all other files have
   * been read.
   * @param settle - whether all other files have been read
   */
  async content(file: FoundFile, bytes: Buffer, settle = false): Promise<Content | SkipReason> {
    if (isDocumentFormat(file.path)) return (await renderDocument(file.path, bytes)) ?? 'binary'
    const decoded = settle ? this.decoder.settle(bytes) : await this.decoder.decode(bytes, file.attributes?.encoding)
    if (typeof decoded === 'string') return decoded
    if (!file.wanted && (file.attributes?.generated ?? isReferencePage(file.path, decoded.text))) return 'generated'
    const rendered = await renderText(file.path, decoded.text)
    const language = rendered?.language ?? languageOf(file.path)
    const whole = rendered?.text ?? decoded.text
    const text = withoutLongLiterals(whole, language)
    const shortened = rendered?.shortened === true || text !== whole
    const reason = skipByText(file.path, text, language, file.attributes?.generated)
    const overruled = reason !== 'empty' && (reason === 'secret' ? file.wanted === 'exact' : file.wanted !== undefined)
    if (reason && !overruled) return reason
    return { text: withoutPrivateKeys(text), language, shortened, ...(rendered?.lines && { lines: rendered.lines }) }
  }
}
