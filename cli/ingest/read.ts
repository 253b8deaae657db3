/**
 * Reads one file and decides whether its text is to be stored.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { createDecoder, type Decoded, type Undecoded } from './encoding.ts'
import { type Language, languageOf } from './languages.ts'
import { type SkipReason, skipByText, withoutLongLiterals, withoutPrivateKeys } from './skip-rules.ts'
import type { FoundFile } from './walk.ts'

/** A file's text, ready to be cut. */
export interface Content {
  text: string
  language: Language
}

/** Reads the files of one code base. */
export class Reader {
  private readonly decoder = createDecoder()

  /** A file's bytes; undefined when it can't be read. */
  bytes(file: FoundFile): Promise<Buffer | undefined> {
    return readFile(file.absolute).catch(() => undefined)
  }

  /**
   * The text of a file, or why it is left out. `encoding unclear` may be settled once all other files have been read.
   * @param settle - the other files have been read
   */
  async content(file: FoundFile, bytes: Buffer, settle = false): Promise<Content | SkipReason> {
    const decoded = settle ? this.decoder.settle(bytes) : await this.decoder.decode(bytes, file.attributes?.encoding)
    return typeof decoded === 'string' ? decoded : this.judged(file, decoded)
  }

  private judged(file: FoundFile, decoded: Exclude<Decoded | Undecoded, string>): Content | SkipReason {
    const language = languageOf(file.path)
    const text = withoutLongLiterals(decoded.text, language)
    const reason = skipByText(file.path, text, language, file.attributes?.generated)
    const overruled = reason !== 'empty' && (reason === 'secret' ? file.wanted === 'exact' : file.wanted !== undefined)
    return reason && !overruled ? reason : { text: withoutPrivateKeys(text), language }
  }
}
