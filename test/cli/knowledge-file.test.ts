import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatKnowledgeFile, parseKnowledgeFile } from '../../cli/ingest/knowledge-file.ts'
import { collectionOf, FILE_COLLECTIONS } from '../../cli/ingest/knowledge-place.ts'

describe('a knowledge file', () => {
  it('is an item: heading, text, sections and front matter', () => {
    const text = `---
category: sql
aliases: [indexes]
endorsement_count: 3
---

# Index foreign keys

A join without an index scans.

\`\`\`sql
## Examples
\`\`\`

## Why

Because.

## Examples

- CREATE INDEX a ON b (c);
- \`\`\`sql
  SELECT 1

  SELECT 2
  \`\`\`

## Anti-patterns

No list here.
`
    expect(parseKnowledgeFile('best-practices', '.hybrid/best-practices/sql.md', text)).toEqual({
      item: {
        key: 'file',
        fields: {
          title: 'Index foreign keys',
          description: 'A join without an index scans.\n\n```sql\n## Examples\n```\n\n## Why\n\nBecause.',
          examples: ['CREATE INDEX a ON b (c);', '```sql\nSELECT 1\n\nSELECT 2\n```'],
          anti_patterns: ['No list here.'],
          category: 'sql',
          endorsement_count: 3,
        },
      },
      keyed: false,
      unknown: ['aliases'],
    })
  })

  it('without front matter or heading is named after its file', () => {
    expect(
      parseKnowledgeFile('error-solutions', 'notes/EADDRINUSE-on_start.md', 'Stop the other one.\n'),
    ).toMatchObject({
      item: { fields: { error_message: 'EADDRINUSE on start', solution: 'Stop the other one.' } },
    })
  })

  it.each([
    ['---\ntitle: [\n---\nText.\n', /^front matter: /],
    ['---\n- a\n---\nText.\n', /^front matter: must be a list of fields/],
    ['---\nkey: 7\n---\nText.\n', /^key: must be a text/],
    ['---\nendorsement_count: many\n---\nText.\n', /^endorsement_count: /],
    ['---\nprovenance: nobody\n---\nText.\n', /^provenance: must be one of human/],
    ['# Only a heading\n', /^description: the file has no text/],
    [`# Long\n\n${'x'.repeat(40_000)}\n`, /^description: /],
  ])('reports how it is invalid: %j', (text, error) => {
    expect(parseKnowledgeFile('best-practices', 'a.md', text)).toMatch(error)
  })

  it('is recognised by its location', () => {
    expect(collectionOf('.hybrid/best-practices/a.md')).toBe('best-practices')
    expect(collectionOf('.hybrid/error-solutions/deep/a.md')).toBe('error-solutions')
    expect(collectionOf('.hybrid/best-practices/a.png')).toBeUndefined()
    expect(collectionOf('.hybrid/no-collection/a.md')).toBeUndefined()
    expect(collectionOf('sub/.hybrid/best-practices/a.md')).toBeUndefined()
    expect(collectionOf('.hybrid/best-practices.md')).toBeUndefined()
  })

  it('keeps trailing line breaks of a front matter field', () => {
    const fields = { title: 'A', description: 'Text', category: '# \n\n' }
    const text = formatKnowledgeFile('best-practices', { key: 'a', fields })
    expect(parseKnowledgeFile('best-practices', 'x.md', text)).toMatchObject({ item: { fields } })
  })

  it('written from an item and read again is the same item', () => {
    const text = fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '# ',
            '## Examples',
            '## Context',
            '- a',
            '  b',
            '```',
            '---',
            '',
            'key: x',
            '\ttab',
            ' end ',
          ),
          fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
        ),
        { minLength: 1, maxLength: 12 },
      )
      .map((lines) => lines.join('\n').replaceAll('\0', '').toWellFormed())
      .filter((one) => /\S/.test(one))
    const list = fc.array(text, { minLength: 1, maxLength: 4 })
    const fieldsOf = {
      'best-practices': fc.record(
        { title: text, description: text, examples: list, anti_patterns: list, references: list, category: text },
        { requiredKeys: ['description', 'title'] },
      ),
      'error-solutions': fc.record(
        { error_message: text, solution: text, context: text, solution_verified: fc.boolean() },
        { requiredKeys: ['error_message', 'solution'] },
      ),
      'skills-patterns': fc.record(
        {
          skill_name: text,
          description: text,
          usage_pattern: text,
          success_examples: list,
          value_score: fc
            .double({ min: 0, max: 1, noNaN: true, noDefaultInfinity: true })
            .map((n) => Math.round(n * 1e6) / 1e6),
        },
        { requiredKeys: ['skill_name', 'description'] },
      ),
      'learning-feedback': fc.record(
        { query: text, correction: text, original_response: text, tags: list },
        { requiredKeys: ['query', 'correction'] },
      ),
    }
    for (const collection of FILE_COLLECTIONS) {
      fc.assert(
        fc.property(fieldsOf[collection] as fc.Arbitrary<Record<string, unknown>>, text, (fields, key) => {
          const read = parseKnowledgeFile(collection, 'x.md', formatKnowledgeFile(collection, { key, fields }))
          expect(read).toMatchObject({ item: { key, fields }, keyed: true })
          expect(Object.keys((read as { item: { fields: object } }).item.fields).sort()).toEqual(
            Object.keys(fields).sort(),
          )
        }),
        { numRuns: 150 },
      )
    }
  })
})
