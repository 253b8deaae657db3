/**
 * The rules of secretlint (https://github.com/secretlint/secretlint), a maintained set for many credential issuers.
 * They run without its engine, which reads files: a rule takes a text and reports ranges.
 * @module
 */
import { rules } from '@secretlint/secretlint-rule-preset-recommend'
import { hasRandomPart } from './secret-values.ts'

/** A range of a text reported by a rule: UTF-16 offsets, `end` exclusive. */
export interface Finding {
  readonly start: number
  readonly end: number
}

interface Rule {
  readonly meta: { readonly id: string }
  create(context: unknown, options: unknown): { file?(source: unknown): unknown }
}

/**
 * Unused rules: comments that disable rules (the author of the text must not decide), service account files (binary),
 * and rules that report more than the secret, which the rules of this folder find exactly.
 */
const UNUSED = /-(?:filter-comments|gcp|privatekey|basicauth|aws|database-connection-string)$/

let findings: Finding[] = []

const readers = (rules as unknown as readonly Rule[])
  .filter(({ meta }) => !UNUSED.test(meta.id))
  .map((rule) =>
    rule.create(
      {
        createTranslator: () => (key: string) => ({ message: key, messageId: key }),
        ignore: () => {},
        report: ({ range: [start, end] }: { range: readonly [number, number] }) => findings.push({ start, end }),
      },
      {},
    ),
  )

/** The ranges that the rules report for a text, in order of position, without overlaps. */
export function secretlintFindings(content: string): readonly Finding[] {
  findings = []
  for (const reader of readers) reader.file?.({ filePath: 'text', content, ext: '', contentType: 'text' })
  let end = 0
  return findings
    .filter(({ start, end }) => hasRandomPart(content.slice(start, end)))
    .sort((a, b) => a.start - b.start || b.end - a.end)
    .filter((finding) => {
      const apart = finding.start >= end
      if (apart) end = finding.end
      return apart
    })
}
