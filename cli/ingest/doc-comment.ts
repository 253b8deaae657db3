/**
 * The author's description of a piece of code in one line: the first paragraph of its documentation comment.
 * @module
 */
import { oneLine } from './units.ts'

const LICENCE = /copyright|licen[cs]e|spdx|all rights reserved/i
const DIRECTIVE =
  /^(?:!|#!|eslint|prettier|biome|tslint|jshint|istanbul|c8|v8|@ts-|@flow|@jsx|noinspection|pylint|type:|noqa|coding[:=]|-\*-|go:|\+build|nolint|#?(?:end)?region\b|sourceMappingURL|global |<reference|use strict)/i

/** Removes comment markers, string quotes and decorators from a raw comment, line by line. */
function unmarked(raw: string): string[] {
  return raw.split('\n').map((line) =>
    line
      .trim()
      .replace(/^(?:[rRuUbB]{0,2}(?:"""|''')|\/\*+!?|\/\/+!?|#+(?!\[)|--+|;+|<!--|\*+(?!\/))/, '')
      .replace(/(?:\*+\/|-->|"""|''')\s*$/, '')
      .trim(),
  )
}

/**
 * First paragraph of a documentation comment in one line of at most 300 characters; undefined if the comment doesn't
 * describe the code (a licence, a linter directive, a decorator, a line of dashes).
 * @param raw - the comment as written, with its markers
 */
export function purposeOf(raw: string | undefined): string | undefined {
  if (!raw) return undefined
  const paragraph: string[] = []
  for (const line of unmarked(raw.slice(0, 8_000))) {
    const words = /[\p{L}\p{N}]/u.test(line)
    if (/^@(?:description|summary|brief|desc)\b/.test(line)) paragraph.push(line.replace(/^@\w+\s*/, ''))
    else if (line.startsWith('@') || line.startsWith('#[')) {
      if (paragraph.length > 0) break
    } else if (!words) {
      if (paragraph.length > 0) break
    } else if (DIRECTIVE.test(line)) {
      if (paragraph.length > 0) break
    } else paragraph.push(line)
  }
  const text = oneLine(
    paragraph
      .join(' ')
      .replace(/<\/?(?:summary|remarks|para|p|b|i|code)\s*\/?>|\{@\w+ ([^}]*)\}/g, '$1')
      .replace(/[/*=#~_-]{4,}/g, ''),
    300,
  )
  // A single word above a group of declarations is a divider, not a description.
  return /\S\s+\S/.test(text) && !LICENCE.test(text) ? text : undefined
}
