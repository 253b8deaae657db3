import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { REDACTION_KINDS, redact, redactAll } from '../../src/security/redact.ts'
import { PLANTED, trace } from './planted.ts'

describe('redact', () => {
  test.each(PLANTED.map((planted) => [planted.kind, planted] as const))('removes a %s', (kind, { secret, text }) => {
    const counts: Record<string, number> = {}
    const clean = redact(`before\n${text}\nafter`, counts)
    expect(counts).toEqual({ [kind]: 1 })
    expect(clean).not.toContain(trace(secret))
    expect(clean).toMatch(/^before\n/)
    if (!text.endsWith(secret) || kind !== 'private_key') expect(clean).toMatch(/\nafter$/)
    expect(redact(clean, counts)).toBe(clean)
    expect(counts).toEqual({ [kind]: 1 })
  })

  test('knows at least 40 kinds, and every kind is tested', () => {
    expect(REDACTION_KINDS.length).toBeGreaterThanOrEqual(40)
    expect([...new Set(PLANTED.map(({ kind }) => kind))].sort()).toEqual([...REDACTION_KINDS].sort())
  })

  test.each([
    'password: "********"',
    'API_KEY="$PRODUCTION_API_KEY"',
    'API_KEY=$(cat key)',
    'const secret = "<your secret here>"',
    'https://example.com:8080/path@v2',
    'a skill-based approach, task-oriented, risk-averse-but-otherwise-reasonable-people',
    'git commit 3f9d2c1e7ab84e02a5f6c7d8e9f0a1b2c3d4e5f6',
    'id 0190b6f0-1c5e-7d2a-8f3b-5a6c7d8e9f00',
    'sha256-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'token = tokens[i]; key: string; password: z.string().min(8)',
    'if (text.includes("-----BEGIN RSA PRIVATE KEY-----")) throw error',
    'val prefix = "-----BEGIN PGP PRIVATE KEY BLOCK-----"\nval suffix = "-----END PGP PRIVATE KEY BLOCK-----"\nval delimiter = "\\r\\n"',
    'a = "-----BEGIN PRIVATE KEY-----\\n" + body.match(/.{1,64}/g).join("\\n") + "\\n-----END PRIVATE KEY-----"',
    'wrap it in `<private>` tags',
    'MAX_TOKENS=4096',
  ])('does not change %s', (text) => {
    expect(redact(text)).toBe(text)
  })

  test('private spans: nested, in any case, not closed', () => {
    expect(redact('a <private>b <private>c</private> d</private> e')).toBe('a [private] e')
    expect(redact('a <PRIVATE>b</Private> c <private>d</private>')).toBe('a [private] c [private]')
    expect(redact('a <private>b and no end')).toBe('a [private]')
    expect(redact('`<private>` is for <private>this</private>.')).toBe('`<private>` is for [private].')
  })

  test('redacting twice has the same result as once, and texts without secrets are returned unchanged', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(...PLANTED.map(({ text }) => text), '<private>', '</private>', '-----BEGIN PRIVATE KEY-----'),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const once = redact(pieces.join(' '))
        expect(redact(once)).toBe(once)
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.lorem({ maxCount: 200 }), (text) => redact(text) === text),
      { numRuns: 100 },
    )
  })

  test('values keep their structure, and are the same object if nothing was removed', () => {
    const value = { query: 'how', tags: ['a', 'b'], limit: 3, nested: { empty: null } }
    expect(redactAll(value)).toBe(value)
    const counts = {}
    const token = `ghp_${'a1B2'.repeat(9)}`
    expect(redactAll({ items: [{ fields: { code: `x ${token}` }, n: 1 }] }, counts)).toEqual({
      items: [{ fields: { code: 'x [redacted github_token]' }, n: 1 }],
    })
    expect(counts).toEqual({ github_token: 1 })
  })
})
