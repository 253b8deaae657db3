/**
 * Decodes a file: by its byte order mark, by a declaration, as UTF-8, or in the encoding that its bytes indicate. If
 * the encoding is unclear, that is reported; nothing is decoded by guessing.
 * @module
 */
import type { detectAll as DetectAll } from 'jschardet'

/** A file's text and its encoding, as a label of the Encoding Standard (WHATWG). */
export interface Decoded {
  text: string
  encoding: string
}

/** Why bytes are not text: they are binary, or their encoding is unclear. */
export type Undecoded = 'binary' | 'encoding unclear'

/** Groups of encodings: Latin encodings are distinguished by words, the others by the script of the decoded text. */
const LATIN: ReadonlySet<string> = new Set([
  'windows-1252',
  'windows-1250',
  'windows-1254',
  'windows-1257',
  'windows-1258',
  'iso-8859-2',
  'iso-8859-15',
])

/** The characters that each encoding of another script must decode to: letters of that script, or punctuation. */
const SCRIPTS: Record<string, RegExp> = {
  shift_jis: /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u,
  'euc-jp': /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u,
  gb18030: /\p{Script=Han}/u,
  big5: /\p{Script=Han}/u,
  'euc-kr': /\p{Script=Hangul}/u,
  'windows-1251': /\p{Script=Cyrillic}/u,
  'koi8-r': /\p{Script=Cyrillic}/u,
  'windows-1253': /\p{Script=Greek}/u,
  'windows-1255': /\p{Script=Hebrew}/u,
  'windows-1256': /\p{Script=Arabic}/u,
  'windows-874': /\p{Script=Thai}/u,
}

/** The detector's names, if they differ from the labels above or mean the same bytes. */
const LABELS: Record<string, string> = {
  'iso-8859-1': 'windows-1252',
  cp932: 'shift_jis',
  gb2312: 'gb18030',
  gbk: 'gb18030',
  cp949: 'euc-kr',
  'koi8-u': 'koi8-r',
  'iso-8859-7': 'windows-1253',
  'iso-8859-8': 'windows-1255',
  'iso-8859-9': 'windows-1254',
  'iso-8859-6': 'windows-1256',
  'iso-8859-13': 'windows-1257',
  'iso8859-15': 'iso-8859-15',
  'tis-620': 'windows-874',
  cp874: 'windows-874',
}

/**
 * Confidence of the detector at which one file alone decides, and at which it decides if no other encoding is close.
 */
const STRONG = 0.2
const WEAK = 0.05
const LEAD = 1.5
/** Number of bytes that are examined. */
const SAMPLE = 8_192

/** Typographic characters that occur with words of any Latin script. */
const MARKS = /[\u00a0¡£©«®°±·»¿×÷€‘’‚“”„†‡•…‰‹›–—™§¶¢¥µº¹²³¼½¾`´\u00ad]/u

/** A label that the platform can decode, in the spelling of the Encoding Standard; undefined for others. */
export function knownLabel(label: string | undefined): string | undefined {
  const spelled = label
    ?.trim()
    .toLowerCase()
    .replace(/^cp(?=125\d$)/, 'windows-')
  if (!spelled) return undefined
  try {
    return new TextDecoder(spelled).encoding
  } catch {
    return undefined
  }
}

/** The encoding that a file declares: HTML, XML, CSS, and the comments that editors, Python and Ruby recognise. */
export function declaredEncoding(bytes: Buffer): string | undefined {
  const head = bytes.subarray(0, 2_048).toString('latin1').replace(/\r\n?/g, '\n')
  const match =
    /<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]+)/i.exec(head) ??
    /^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)/i.exec(head) ??
    /^@charset "([\w.:-]+)"/.exec(head) ??
    /^(?:.*\n)?.*?(?:#|\/\/|\/\*|;|--|").*?\b(?:file)?(?:en)?coding[:=]\s*([\w.-]+)/.exec(head) ??
    /\bvim?:.*?\b(?:fileencoding|fenc)=([\w.-]+)/.exec(head)
  return knownLabel(match?.[1]?.replace(/-(?:unix|dos|mac)$/, ''))
}

function decodeStrictly(bytes: Buffer, label: string): string | undefined {
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * UTF-16 without a byte order mark: the zero bytes of Latin letters and line ends are all at even, or all at odd
 * offsets.
 */
function looksUtf16(bytes: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  const sample = bytes.subarray(0, SAMPLE - (SAMPLE % 2))
  let even = 0
  let odd = 0
  for (let i = 0; i + 1 < sample.length; i += 2) {
    if (sample[i] === 0) even++
    if (sample[i + 1] === 0) odd++
  }
  const pairs = sample.length / 2
  if (pairs < 2) return undefined
  if (odd > pairs * 0.1 && even === 0) return 'utf-16le'
  return even > pairs * 0.1 && odd === 0 ? 'utf-16be' : undefined
}

/** NUL, or more control characters than text contains. */
function looksBinary(bytes: Buffer): boolean {
  if (bytes.includes(0)) return true
  const sample = bytes.subarray(0, SAMPLE)
  let controls = 0
  for (const byte of sample) {
    // Tab, line ends, form feed, backspace and escape occur in text: listings, overstruck manuals, terminal output.
    if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 12 && byte !== 8 && byte !== 27) controls++
  }
  return controls > Math.max(1, sample.length / 100)
}

/** UTF-8 with a few broken bytes is UTF-8: most of its longer sequences are valid. */
function nearlyUtf8(bytes: Buffer): string | undefined {
  const text = new TextDecoder('utf-8').decode(bytes)
  let broken = 0
  let whole = 0
  for (const character of text) {
    if (character === '\ufffd') broken++
    else if (character > '\u007f') whole++
  }
  return whole >= 20 && broken * 20 <= whole ? text : undefined
}

/**
 * The parts that are not ASCII, with the rest of their words: the rest of a source file is English, and would suggest
 * Latin letters whatever the language of the comments.
 */
function foreignParts(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  let length = 0
  const isLetter = (byte = 0): boolean => (byte | 32) >= 97 && (byte | 32) <= 122
  for (let i = 0; i < bytes.length && length < SAMPLE; i++) {
    if ((bytes[i] ?? 0) < 128) continue
    let start = i
    while (start > 0 && isLetter(bytes[start - 1])) start--
    let end = i
    // The second byte of a character may be in the upper half of ASCII.
    while (end < bytes.length && ((bytes[end] ?? 0) >= 128 || ((bytes[end] ?? 0) >= 64 && bytes[end] !== 127))) end++
    parts.push(bytes.subarray(start, end), Buffer.from(' '))
    length += end - start + 1
    i = end
  }
  return Buffer.concat(parts)
}

/**
 * Whether a decoding consists of Latin words: every foreign letter is in a word with an ASCII letter, the rest is
 * punctuation.
 */
function readsAsLatin(text: string): boolean {
  let foreign = 0
  let bad = 0
  for (const [word] of text.matchAll(/[^\s\x21-\x40\x5b-\x60\x7b-\x7e]*[^\0-\x7f][^\s\x21-\x40\x5b-\x60\x7b-\x7e]*/g)) {
    foreign++
    const letters = [...word].filter((character) => !MARKS.test(character))
    const plain = letters.filter((character) => /[a-z]/i.test(character)).length
    const strange = letters.some((character) => !/\p{Script=Latin}/u.test(character))
    // Capitals inside a lower-case word indicate another encoding: `cafÈ`.
    const mixed = /[a-z][À-Þ][a-z]/.test(word)
    const alone = letters.length === 1 && /[àáâäåæèéêëìíîïòóôöøùúûüýñçß]/i.test(letters[0] ?? '')
    if (strange || mixed || (letters.length > 0 && plain * 3 < letters.length && !alone)) bad++
  }
  return bad * 20 <= foreign
}

/** Whether a decoding matches the script of its encoding. */
function readsAs(text: string, script: RegExp): boolean {
  let right = 0
  let wrong = 0
  for (const character of text) {
    if (character <= '\u007f') continue
    if (script.test(character)) right++
    // Ideographic and full-width forms, dashes, quotation marks, symbols.
    else if (
      !/[\u2000-\u27bf\u3000-\u303f\uff00-\uffef]|[«»©®°±·×§¶]/u.test(character) ||
      /[\uff61-\uff9f]/.test(character)
    )
      wrong++
  }
  return right > 0 && wrong * 10 <= right
}

let detectAll: typeof DetectAll | undefined

/** The detector's candidates that the platform can decode, best first. */
function candidatesOf(sample: Buffer): Map<string, number> {
  const found = new Map<string, number>()
  for (const { encoding, confidence } of detectAll?.(sample, { minimumThreshold: 0 }) ?? []) {
    const name = (encoding ?? '').toLowerCase()
    const label = LABELS[name] ?? name
    if (LATIN.has(label) || SCRIPTS[label]) found.set(label, Math.max(found.get(label) ?? 0, confidence))
  }
  return found
}

/** The encoding of bytes that are neither UTF-8 nor marked, if it is clear. */
function detect(bytes: Buffer): Decoded | undefined {
  const parts = foreignParts(bytes)
  const foreign = candidatesOf(parts)
  const scripts = [...foreign].filter(([label]) => SCRIPTS[label]).sort((a, b) => b[1] - a[1])
  const [best, second] = scripts
  const inScript = (confidence: number): Decoded | undefined => {
    const script = best && SCRIPTS[best[0]]
    if (!best || !script || best[1] < confidence || best[1] < LEAD * (second?.[1] ?? 0)) return undefined
    const text = decodeStrictly(bytes, best[0])
    return text !== undefined && readsAs(text, script) ? { text, encoding: best[0] } : undefined
  }
  const sure = inScript(STRONG)
  if (sure) return sure
  const whole = candidatesOf(bytes.subarray(0, SAMPLE))
  const western = Math.max(whole.get('windows-1252') ?? 0, foreign.get('windows-1252') ?? 0)
  const latin = [...whole].filter(([label]) => LATIN.has(label)).sort((a, b) => b[1] - a[1])[0]
  const label = latin && latin[1] > western * 1.25 && latin[1] - western >= 0.015 ? latin[0] : 'windows-1252'
  const text = new TextDecoder(label).decode(bytes)
  if (readsAsLatin(text)) return { text, encoding: label }
  return inScript(WEAK)
}

function finish({ text, encoding }: Decoded): Decoded | Undecoded {
  return text.includes('\0') ? 'binary' : { text: text.replace(/\r\n?/g, '\n').toWellFormed(), encoding }
}

/** Decodes the files of one code base. The encodings of clear files decide the unclear ones. */
export interface Decoder {
  /**
   * A file's text, with line ends as `\n` and without a byte order mark.
   * @param declared - an encoding declared outside the file, e.g. in `.gitattributes`
   */
  decode(bytes: Buffer, declared?: string): Promise<Decoded | Undecoded>
  /** Decodes a file whose encoding was unclear, after all other files have been read. */
  settle(bytes: Buffer): Decoded | Undecoded
}

/** A decoder for the files of one code base. */
export function createDecoder(): Decoder {
  const seen = new Map<string, number>()
  const decode = async (bytes: Buffer, declared?: string): Promise<Decoded | Undecoded> => {
    const [first, second] = bytes
    if (first === 0xff && second === 0xfe)
      return finish({ text: new TextDecoder('utf-16le').decode(bytes), encoding: 'utf-16le' })
    if (first === 0xfe && second === 0xff)
      return finish({ text: new TextDecoder('utf-16be').decode(bytes), encoding: 'utf-16be' })
    if (looksBinary(bytes)) {
      const label = knownLabel(declared)?.startsWith('utf-16') ? knownLabel(declared) : looksUtf16(bytes)
      const text = label && decodeStrictly(bytes, label)
      return text ? finish({ text, encoding: label }) : 'binary'
    }
    const shifted = bytes.includes('\x1b$') ? decodeStrictly(bytes, 'iso-2022-jp') : undefined
    if (shifted !== undefined) return finish({ text: shifted, encoding: 'iso-2022-jp' })
    const utf8 = decodeStrictly(bytes, 'utf-8')
    if (utf8 !== undefined) return finish({ text: utf8, encoding: 'utf-8' })
    for (const label of [knownLabel(declared), declaredEncoding(bytes)]) {
      const text = label && label !== 'utf-8' ? decodeStrictly(bytes, label) : undefined
      if (label && text !== undefined) {
        seen.set(label, (seen.get(label) ?? 0) + 1)
        return finish({ text, encoding: label })
      }
    }
    const nearly = nearlyUtf8(bytes)
    if (nearly !== undefined) return finish({ text: nearly, encoding: 'utf-8' })
    detectAll ??= (await import('jschardet')).default.detectAll
    const decoded = detect(bytes)
    if (!decoded) return 'encoding unclear'
    seen.set(decoded.encoding, (seen.get(decoded.encoding) ?? 0) + 1)
    return finish(decoded)
  }
  const settle = (bytes: Buffer): Decoded | Undecoded => {
    for (const [label] of [...seen].sort((a, b) => b[1] - a[1])) {
      const text = decodeStrictly(bytes, label)
      const script = SCRIPTS[label]
      if (text !== undefined && (script ? readsAs(text, script) : readsAsLatin(text)))
        return finish({ text, encoding: label })
    }
    return 'encoding unclear'
  }
  return { decode, settle }
}
