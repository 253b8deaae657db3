import { describe, expect, test } from 'vitest'
import { isPublicClientId, printableName, registrationFault } from '../../src/transports/oauth/client-checks.ts'

describe('client ids', () => {
  test.each([
    'https://127.0.0.1:9000/x',
    'https://127.1/x',
    'https://2130706433/x',
    'https://0x7f.1/x',
    'https://0/x',
    'https://0.0.0.0/x',
    'https://[::1]/x',
    'https://[::ffff:127.0.0.1]/x',
    'https://[fd00::1]/x',
    'https://10.0.0.1/x',
    'https://192.168.1.1/x',
    'https://169.254.169.254/latest',
    'https://8.8.8.8/x',
    'https://localhost/x',
    'https://localhost./x',
    'https://LOCALHOST/x',
    'https://a.localhost/x',
    'https://printer.local/x',
    'https://metadata.google.internal/x',
    'https://router.lan/x',
    'https://nas.home.arpa/x',
    'https://intranet/x',
    'https://user:password@client.example/x',
    'http://client.example/x',
    'file:///etc/passwd',
    'https://',
  ])('%s is not fetched', (id) => {
    expect(isPublicClientId(id)).toBe(false)
  })

  test.each([
    'https://client.example/oauth/client.json',
    'https://claude.ai/client',
    'https://a.b.co.uk:8443/c',
    'mHs8dKq2Zr',
  ])('%s may be', (id) => {
    expect(isPublicClientId(id)).toBe(true)
  })
})

describe('registrations', () => {
  const redirect_uris = ['https://client.example/callback']

  test.each([
    [{ client_name: 'x'.repeat(101), redirect_uris }, 'invalid_client_metadata'],
    [{ client_name: 'a\u0000b', redirect_uris }, 'invalid_client_metadata'],
    [{ client_name: 'a\nb', redirect_uris }, 'invalid_client_metadata'],
    [{ client_name: 'evil\u202egnp', redirect_uris }, 'invalid_client_metadata'],
    [{ client_name: 'a\u2066b', redirect_uris }, 'invalid_client_metadata'],
    [{ client_name: 'a\u200bb', redirect_uris }, 'invalid_client_metadata'],
    [{ client_name: 5, redirect_uris }, 'invalid_client_metadata'],
    [
      { client_name: 'x', redirect_uris: Array.from({ length: 11 }, (_, n) => `https://c.example/${n}`) },
      'invalid_redirect_uri',
    ],
    [{ client_name: 'x', redirect_uris: [`https://c.example/${'x'.repeat(2000)}`] }, 'invalid_redirect_uri'],
    [{ client_name: 'x', redirect_uris: 'https://c.example' }, 'invalid_redirect_uri'],
    ['x', 'invalid_client_metadata'],
    [null, 'invalid_client_metadata'],
  ])('%# is rejected', (body, error) => {
    expect(registrationFault(body)?.error).toBe(error)
  })

  test.each([{ client_name: 'Claude Code (my-project) – Zürich 日本語 🙂', redirect_uris }, { redirect_uris }])(
    '%# is not',
    (body) => {
      expect(registrationFault(body)).toBeNull()
    },
  )
})

test('names on pages are short and printable', () => {
  expect(printableName('\u202eevil\u0000 \n name')).toBe('evil name')
  expect([...printableName('🙂'.repeat(1000))]).toHaveLength(100)
  expect(printableName('\u200b')).toBe('A client without a name')
})
