import { expect, test } from 'vitest'
import { redact } from '../../src/security/redact.ts'
import { HELD_OUT_KINDS, madeSecrets, SECRET_KINDS, type SecretKind } from './secret-kinds.ts'

/** The share of secrets removed from their text, and the kinds of which one remained. */
function recallOf(kinds: readonly SecretKind[], perKind: number, seed: number) {
  const made = madeSecrets(kinds, perKind, seed)
  const kept = made.filter(({ secret, text }) => redact(text).includes(secret.slice(0, 12)))
  return { made: made.length, recall: 1 - kept.length / made.length, kept: [...new Set(kept.map(({ kind }) => kind))] }
}

test('at least 97 % of secrets of more than 60 kinds are removed, whatever the seed', () => {
  expect(SECRET_KINDS.length).toBeGreaterThanOrEqual(60)
  for (const seed of [1, 2, Date.now()]) {
    const { made, recall, kept } = recallOf(SECRET_KINDS, 6, seed)
    expect(made).toBeGreaterThanOrEqual(400)
    expect(recall, `seed ${seed}, kept: ${kept.join(', ')}`).toBeGreaterThanOrEqual(0.97)
  }
})

test('secrets in syntax that the rules were not developed with are removed too', () => {
  const { recall, kept } = recallOf(HELD_OUT_KINDS, 10, Date.now())
  expect(recall, `kept: ${kept.join(', ')}`).toBeGreaterThanOrEqual(0.85)
})

test.each([
  ['letters alone, in no order of words', "apiKey: 'api_sggocTLUCYePvjHvVVJPIvsFQBuERHngmTvh4QMXubWNH'"],
  ['short runs', 'export API_TOKEN="9Qu4Aw_Sq2xbz-d-mPCT"'],
  ['groups of letters and digits', 'api_key: P9XF9RG-X8V0NI6-88IP1T0-CO4W5ON'],
  ['an address that anybody may post to', 'zap https://hooks.zapier.com/hooks/catch/ypmIggJab0PviemZ now'],
  ['the arguments of a call', 'os.Setenv("STRIPE_KEY", "kq83hfT62bdPw91mZx4c")'],
  ['a list of names and values', '- name: API_TOKEN\n  value: kq83hfT62bdPw91mZx4c\n'],
  ['a type before the sign', 'let api_key: &str = "kq83hfT62bdPw91mZx4c";'],
  ['a call around the value', 'Config(api_key=SecretStr("kq83hfT62bdPw91mZx4c"))'],
  ['no sign', '{:weather-api-key "kq83hfT62bdPw91mZx4c"}'],
  ['prose', 'The token for staging was kq83hfT62bdPw91mZx4c yesterday.'],
  ['fish', 'set -x WEATHER_API_KEY kq83hfT62bdPw91mZx4c'],
])('finds a key: %s', (_, text) => {
  expect(redact(text)).toContain('[redacted ')
})

test('redacting twice changes nothing', () => {
  for (const { text } of madeSecrets([...SECRET_KINDS, ...HELD_OUT_KINDS], 3, 5)) {
    const once = redact(text)
    expect(redact(once)).toBe(once)
  }
})

test.each([
  'apiKey: "settings.apiKey.label"',
  'secret = "kubernetes.io/service-account-token"',
  '.sk-folding-cube-wrapper-animation { color: red }',
  '{"password": "Passwort", "confirmPassword": "Passwort bestätigen", "apiKey": "API-Schlüssel"}',
  '{"password.hint": "Use 8 characters or more", "token_expired": "Your token has expired."}',
  'password: z.string().min(8)',
  'const password = await prompt("Password: ")',
  'connect(user=user, password=password, token=token)',
  'interface User { password: string; apiKey?: string; token: Uint8Array }',
  'token = tokens[i + 1]; key: number; secret: Buffer.from(raw)',
  `token: $${'{{'} secrets.GITHUB_TOKEN }}`,
  'password: !vault',
  'The password: 8 characters or more, with a digit.',
  'private_key = crypto.createPrivateKey(pem)',
  'http://localhost:8080/path@v1.2.3',
  'see https://x.dev:443/@scope/package@4.2.1',
  '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
  'max_tokens: 4096, tokenizer="o200k_base", token_type: "bearer"',
  'sessionKey: "user-session-v2"',
  'AUTHN_PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"',
  'token = base64.b64encode(f"{user}:{pwd}".encode())',
  'user, password = auth2.split(":")',
  '{ name: id, password: t.password??null, next: 1 }',
  'constructor(token: X509Token, credential: X509Credential)',
  'verdaccio-htpasswd: 13.0.0-next-8.29',
  'credentials="mysql+pymysql://rfamro@mysql-rfam-public.example:4497/Rfam"',
  '"SECRET = \'1234abcd-1234-abcd-1234-abcd1234adcd\'"',
  'authorization: "token 0000000000000000000000000000000000000001"',
  '`a=ice-pwd:`+n.password+`\\r`',
  'log_in(email="a@example.com", password="1234")',
  'postgresql://loader:loader@localhost/data and redis://user:authpassword@127.0.0.1:6380/4',
  'ftp://anonymous:flabada@ftp.example.com/x',
  "pass: 'List item has a <ul>, <ol> or role=list parent element'",
  'the element <private-char> is added',
  'isPrivate(node: Node | null, opts?: Opts<Private> | null): node is Private',
  'ssh -i <private key> host',
  '{ password: !!options.password, next: 1 }',
  'xml = \'<Password>" + _PASSWORD_PLACEHOLDER + "</Password>\'',
  'privateKey: secp256k1.utils.randomPrivateKey,',
  'token: "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9..."',
  'integrity: sha512-vT3bYdqtX8vXcJ3hcUpNcZr0w1vVbYPq8m2bPqZJZrB5oZ9R1r0Y2g5ZkYvVZ3Jx8wq6sQm4l0v7n1Ck5d8H2A==',
  'xai_sdk/client.py,sha256=sk-A8r8Kb0J3aiMRhPBMyoLCa0wUjvf9g9vQWoOLcRc,10245',
  'user_2RfWKJREkjKbHZy0Wqa5qrHeAnb call_Ao02pnFYXD6GN1yzc0uXPsvF',
  'secretName: "tls-example-com"',
  '["DECRYPTBYKEYAUTOASYMKEY", "ENCRYPTBYASYMKEY", "ENCRYPTBYKEY", "OPENSYMMETRICKEYTOKENS"]',
  '["token", "chacha20poly1305", "apiKey"]',
  'the token of the branch is feature-handle-interrupted-exports',
  'SORT_KEY="created_at_2026_11_30_v1"',
  'See https://x.dev/hooks/useIntersectionObserverEntry2 for details',
  'if (token.type === "punctuation.definition.string.begin") skip()',
])('does not change %s', (text) => {
  expect(redact(text)).toBe(text)
})
