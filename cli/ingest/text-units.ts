/**
 * Units of text without a syntax tree: blocks between blank lines, then lines, then words, until they are small enough.
 * @module
 */
import { labelOf, type Unit } from './units.ts'

/** A definition at the start of a line, in languages without a grammar here (Kotlin, Swift, Scala, Lua, Elixir …). */
const DEFINITION =
  /^[ \t]*(?:[a-z@]+[ \t]+){0,4}?(?:class|struct|interface|trait|object|enum|protocol|extension|func|fun|def|defp|defmodule|module|function|sub|proc|fn|message|service|resource|contract)[ \t]+"?([\p{L}_][\p{L}\p{N}_.]*)/u

function makeUnit(text: string, start: number, end: number, rank: number, symbols: boolean): Unit {
  const names: string[] = []
  if (symbols) {
    for (const line of text.slice(start, end).split('\n')) {
      const name = line.length < 400 ? DEFINITION.exec(line)?.[1] : undefined
      if (name && !names.includes(name)) names.push(name)
    }
  }
  return {
    start,
    end,
    kind: 'text',
    names,
    label: names[0] ?? labelOf(text, start, end),
    rank: names.length > 0 ? rank : rank + 1,
  }
}

/** Indentation of a line in columns. A tab counts as four. */
function indentation(text: string, offset: number): number {
  let columns = 0
  for (let i = offset; i < text.length; i++) {
    const character = text[i]
    if (character === ' ') columns++
    else if (character === '\t') columns += 4
    else break
  }
  return columns
}

/**
 * Splits one very long line at spaces (or anywhere, but never inside a surrogate pair) into pieces of at most `size`.
 */
function wordUnits(text: string, start: number, end: number, size: number): Unit[] {
  const units: Unit[] = []
  let at = start
  while (end - at > size) {
    let cut = text.lastIndexOf(' ', at + size)
    if (cut <= at + size / 2) cut = at + size - 1
    cut++
    const code = text.charCodeAt(cut)
    if (code >= 0xdc00 && code <= 0xdfff) cut--
    units.push(makeUnit(text, at, cut, 60, false))
    at = cut
  }
  if (at < end) units.push(makeUnit(text, at, end, 60, false))
  return units
}

/**
 * Partitions `[start, end)` of a text into units of at most `size` characters, as far as white space allows.
 * @param options.size - maximum size of a unit in characters
 * @param options.symbols - whether to find definitions by keyword and name units after them
 */
export function textUnits(
  text: string,
  start: number,
  end: number,
  options: { size: number; symbols: boolean },
): Unit[] {
  const lines: { start: number; end: number; blank: boolean }[] = []
  for (let at = start; at < end; ) {
    const newline = text.indexOf('\n', at)
    const next = newline < 0 || newline + 1 > end ? end : newline + 1
    lines.push({ start: at, end: next, blank: text.slice(at, next).trim() === '' })
    at = next
  }
  const units: Unit[] = []
  const block = (from: number, to: number): void => {
    const first = lines[from]
    const last = lines[to - 1]
    if (!first || !last) return
    if (last.end - first.start <= options.size) {
      const rank = Math.min(40, indentation(text, first.start))
      units.push(makeUnit(text, first.start, last.end, rank, options.symbols))
      return
    }
    for (let i = from; i < to; i++) {
      const line = lines[i]
      if (!line) continue
      if (line.end - line.start > options.size) units.push(...wordUnits(text, line.start, line.end, options.size))
      else
        units.push(
          makeUnit(text, line.start, line.end, 10 + Math.min(40, indentation(text, line.start)), options.symbols),
        )
    }
  }
  let from = 0
  for (let i = 1; i < lines.length; i++) {
    if (lines[i - 1]?.blank && !lines[i]?.blank) {
      block(from, i)
      from = i
    }
  }
  block(from, lines.length)
  return units
}
