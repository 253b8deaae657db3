import { describe, expect, test } from 'vitest'
import { redact } from '../../src/security/redact.ts'

/** In node, because the clock of a Worker stands still while it computes. */
describe('redact', () => {
  test.each<[string, string]>([
    ['openings of keys', '-----BEGIN RSA PRIVATE KEY-----'],
    ['openings of private spans', '<private>'],
    ['names of secrets', 'password_'],
    ['names of secrets without an end', 'a.password="'],
    ['prefixes', 'sk-ant-'],
    ['halves of tokens', 'eyJaaaaaaaaaaaaaaa.eyJ'],
    ['URLs', 'a://b:'],
    ['one letter', 'a'],
    ['white space', ' \n'],
    ['base64', 'QUJD'],
    ['dots', 'MNO.'],
    ['machines', 'machine a login '],
  ])('a megabyte of %s takes a time in proportion', (_, piece) => {
    const time = (length: number) => {
      const text = piece.repeat(Math.ceil(length / piece.length))
      const started = performance.now()
      redact(text)
      return performance.now() - started
    }
    time(50_000)
    expect(time(1_000_000)).toBeLessThan(3000)
  })
})
