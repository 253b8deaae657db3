/**
 * The rules of secretlint (https://github.com/secretlint/secretlint), a maintained set for the issuers of credentials. They run
 * without its engine, which reads files: a rule is given a text and reports ranges.
 * @module
 */
import { rules } from '@secretlint/secretlint-rule-preset-recommend'
import { hasRandomPart } from './secret-values.ts'

/** A range of a text that a rule reported: UTF-16 positions, the end exclusive. */
export interface Finding {
  readonly start: number
  readonly end: number
}

interface Rule {
  readonly meta: { readonly id: string }
  create(context: unknown, options: unknown): { file?(source: unknown): unknown }
}

/**
 * Rules that are not used: comments that switch rules off (whoever writes the text must not choose), service account files (binary),
 * and rules whose findings are wider than the secret, which the structural rules of this folder find exactly.
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

/** What the rules report of a text, in order of position, without overlaps. */
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
