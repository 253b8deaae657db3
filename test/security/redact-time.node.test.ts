import { describe, expect, test } from 'vitest'
import { redact } from '../../src/security/redact.ts'
import { steeperThanLinear } from '../growth.node.ts'

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
  ])('of %s takes linear CPU time', (_, piece) => {
    expect(steeperThanLinear(redact, [piece], 1_000_000)).toEqual([])
  })
})
