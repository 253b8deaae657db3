/**
 * Secrets of many kinds in the syntax in which people and agents paste them, generated at run time from a seed. None
 * was ever valid.
 */
import { type Random, seeded } from '../../cli/shared/random.ts'

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** A kind of secret: how to generate one, and the text around it. */
export interface SecretKind {
  readonly name: string
  make(random: Random): { secret: string; text: string }
}

const some = (random: Random, length: number, alphabet = ALPHANUMERIC) =>
  Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
const hex = (random: Random, length: number) => some(random, length, '0123456789abcdef')
const base64 = (random: Random, length: number) => some(random, length, `${ALPHANUMERIC}+/`)
const uuid = (random: Random) => [8, 4, 4, 4, 12].map((length) => hex(random, length)).join('-')
/** Like the output of a password manager: letters, at least one digit and one symbol. */
const password = (random: Random) =>
  `${some(random, 5)}${some(random, 1, '0123456789')}${some(random, 4)}${some(random, 1, '!@#%^*+~')}${some(random, 3)}`
const word = (random: Random) => ['app', 'billing', 'reports', 'search', 'mailer'][Math.floor(random() * 5)] ?? 'app'

const kind = (
  name: string,
  secretOf: (random: Random) => string,
  around: string | ((random: Random) => string),
): SecretKind => ({
  name,
  make: (random) => {
    const secret = secretOf(random)
    const text = typeof around === 'string' ? around : around(random)
    return { secret, text: text.replace('%', () => secret).replaceAll('NAME', word(random)) }
  },
})

/** Kinds that the rules were developed with. */
export const SECRET_KINDS: readonly SecretKind[] = [
  kind('AWS credentials file', (r) => base64(r, 40), '[default]\naws_access_key_id = x\naws_secret_access_key = %\n'),
  kind('AWS environment', (r) => base64(r, 40), 'export AWS_SECRET_ACCESS_KEY=%'),
  kind('AWS STS answer', (r) => `IQoJb3JpZ2luX2Vj${base64(r, 200)}`, '"Credentials": {\n  "SessionToken": "%"\n}'),
  kind('AWS SDK field', (r) => base64(r, 40), 'credentials: { accessKeyId: id, secretAccessKey: "%" }'),
  kind('Bedrock key', (r) => `ABSK${base64(r, 128)}`, 'AWS_BEARER_TOKEN_BEDROCK=%'),
  kind('JSON', password, '{"user": "NAME", "password": "%"}'),
  kind('JSON in JSON', password, '{"body": "{\\"user\\":\\"NAME\\",\\"password\\":\\"%\\"}"}'),
  kind('JSON in JSON in JSON', (r) => some(r, 24), '"{\\\\\\"apiKey\\\\\\": \\\\\\"%\\\\\\"}"'),
  kind('YAML', password, 'database:\n  host: db.internal\n  password: %\n  port: 5432\n'),
  kind('YAML with a comment', password, 'redis:\n  password: % # rotate in May\n'),
  kind('YAML token', (r) => some(r, 32), 'users:\n- name: NAME\n  user:\n    token: %\n'),
  kind(
    'kubeconfig key',
    (r) => `LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ${base64(r, 300)}`,
    '    client-key-data: %\n',
  ),
  kind(
    'Kubernetes secret',
    (r) => base64(r, 24),
    'apiVersion: v1\nkind: Secret\nmetadata:\n  name: NAME\ndata:\n  cfg: %\n',
  ),
  kind('Kubernetes stringData', (r) => some(r, 12), 'kind: Secret\nstringData:\n  admin: "%"\ntype: Opaque\n'),
  kind('environment with a comment', password, 'DB_PASSWORD=% # production\n'),
  kind('environment with spaces', password, 'DB_PASSWORD = %\n'),
  kind('environment in lower case', password, 'db_password=%\n'),
  kind('environment, quoted', password, "export SMTP_PASS='%'\n"),
  kind('docker -e', password, 'docker run -d -e POSTGRES_PASSWORD=% postgres:17'),
  kind('Dockerfile', (r) => some(r, 32), 'FROM node:24\nENV API_TOKEN=%\n'),
  kind('Spring properties', password, 'spring.datasource.username=NAME\nspring.datasource.password=%\n'),
  kind('INI', password, '[client]\nuser = NAME\npassword = %\n'),
  kind('TOML', (r) => some(r, 40), '[api]\nurl = "https://x"\nsecret_key = "%"\n'),
  kind('long flag', password, 'pg_restore --host db --password=% dump.sql'),
  kind('long flag with a space', (r) => `x${some(r, 4)}7${some(r, 20)}`, 'cli login --api-key % --region eu'),
  kind('libpq', password, 'host=db user=NAME password=% dbname=app sslmode=require'),
  kind('JDBC', (r) => `${some(r, 8)}4${some(r, 6)}`, 'jdbc:postgresql://db/app?user=NAME&password=%&ssl=true'),
  kind('XML element', password, '<server>\n  <username>NAME</username>\n  <password>%</password>\n</server>'),
  kind('XML attribute', (r) => some(r, 28), '<add key="Stripe.SecretToken" value="%" />'),
  kind('curl -u', password, 'curl -s -u NAME:% https://api.example.org/v1'),
  kind('sshpass', password, "sshpass -p '%' ssh root@10.0.0.4"),
  kind('mysql -p', (r) => `${some(r, 10)}5`, 'mysql -h db -uNAME -p% app'),
  kind('Django', (r) => `django-insecure-${some(r, 40)}1`, "SECRET_KEY = '%'\n"),
  kind('Python environment', (r) => some(r, 40), 'os.environ["SECRET_KEY"] = "%"'),
  kind('Ruby hash', (r) => some(r, 30), ":api_key => '%',"),
  kind('Go field', (r) => some(r, 36), 'cfg := Config{APIKey: "%", Timeout: 3}'),
  kind('token in code', (r) => `${some(r, 20)}42`, "const token = '%'"),
  kind('short quoted password', (r) => `${some(r, 5)}9`, 'password = "%"'),
  kind('quoted password with a space', (r) => `${some(r, 5)}7 ${some(r, 4)}!${some(r, 3)}`, 'password: "%"'),
  kind('X-Api-Key header', (r) => some(r, 32), 'GET / HTTP/1.1\nX-Api-Key: %\n'),
  kind('X-Auth-Key header', (r) => hex(r, 37), "-H 'X-Auth-Key: %'"),
  kind('DD-API-KEY header', (r) => hex(r, 32), 'DD-API-KEY: %'),
  kind('Cookie', (r) => some(r, 40), 'Cookie: theme=dark; session=%; lang=en'),
  kind('Bearer header', (r) => some(r, 40), 'authorization: Bearer %'),
  kind('Datadog application key', (r) => hex(r, 40), 'DD_APP_KEY=%'),
  kind('.npmrc _auth', (r) => base64(r, 44), '//registry.example.org/:_auth=%\n'),
  kind('.npmrc _authToken', uuid, '//registry.example.org/:_authToken=%\n'),
  kind(
    'Azure Service Bus',
    (r) => `${base64(r, 43)}=`,
    'Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=NAME;SharedAccessKey=%',
  ),
  kind('Azure DevOps', (r) => `${some(r, 76)}AZDO${some(r, 4)}`, 'the PAT is %'),
  kind('Slack cookie token', (r) => `xoxd-${some(r, 60)}`, 'd=% in the browser'),
  kind('Slack client token', (r) => `xoxc-${some(r, 12, '0123456789')}-${hex(r, 64)}`, 'use %'),
  kind('Cloudflare token', (r) => `cfut_${some(r, 40)}${hex(r, 8)}`, 'export CF=%'),
  kind('Google refresh token', (r) => `1//0${some(r, 60)}`, 'refresh with %'),
  kind('Vercel token', (r) => `vcp_${some(r, 56)}`, 'vercel --token %'),
  kind('LangSmith key', (r) => `lsv2_pt_${hex(r, 32)}_${hex(r, 10)}`, 'set %'),
  kind('Tavily key', (r) => `tvly-dev-${some(r, 32)}`, 'set %'),
  kind('Pinecone key', (r) => `pcsk_${some(r, 6)}_${some(r, 58)}`, 'set %'),
  kind('Firecrawl key', (r) => `fc-${hex(r, 32)}`, 'set %'),
  kind('Resend key', (r) => `re_${some(r, 7)}3_${some(r, 24)}`, 'set %'),
  kind('PostHog key', (r) => `phx_${some(r, 48)}`, 'set %'),
  kind('Contentful token', (r) => `CFPAT-${some(r, 43)}`, 'set %'),
  kind('Ory token', (r) => `ory_at_${some(r, 43)}.${some(r, 43)}`, 'set %'),
  kind('PASETO', (r) => `v4.local.${some(r, 120)}`, 'set %'),
  kind('raw @ in a URL', (r) => `${some(r, 6)}@${some(r, 5)}`, 'postgres://NAME:%@db.internal:5432/app'),
  kind('raw / in a URL', (r) => `${some(r, 6)}/${some(r, 5)}`, 'amqp://NAME:%@mq.internal/vhost'),
  kind('token between underscores', (r) => `ghp_${some(r, 36)}`, 'TOKEN_%_'),
  kind('routable GitLab token', (r) => `glpat-${some(r, 27)}.01.${some(r, 9, 'abcdefghij0123456789')}`, 'set %'),
  kind(
    'encrypted PEM without its end',
    (r) => base64(r, 64),
    '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00FF\n\n%\n',
  ),
  kind(
    'second half of a PEM key',
    (r) => base64(r, 64),
    (r) => `%\n${base64(r, 30)}==\n-----END PRIVATE KEY-----\n`,
  ),
  kind('private span with spaces', (r) => `the code word is ${some(r, 10)}`, 'note <private >%</private > end'),
  kind(
    'private span with attributes',
    (r) => `the code word is ${some(r, 10)}`,
    'note < private reason="x">%</ private> end',
  ),
]

/** Kinds that were not used while the rules were written; they check that the rules generalise. */
export const HELD_OUT_KINDS: readonly SecretKind[] = [
  kind('HCL', (r) => some(r, 32), 'variable "x" {\n  client_secret = "%"\n}'),
  kind('PHP array', password, "'password' => '%',"),
  kind('C# initialiser', (r) => some(r, 40), 'new Client { ApiKey = "%" };'),
  kind('PowerShell', password, '$Password = "%"'),
  kind('GitHub Actions', (r) => some(r, 40), '        env:\n          DEPLOY_TOKEN: %\n'),
  kind('fish shell', (r) => some(r, 24), 'set -x OPENWEATHER_API_KEY %'),
  kind('Compose list', password, '    environment:\n      - MYSQL_ROOT_PASSWORD=%\n'),
  kind('query string', (r) => some(r, 32), 'https://maps.example.org/v1?q=x&api_key=%&z=3'),
  kind('Rust struct', (r) => some(r, 30), 'Client { access_token: "%".into() }'),
  kind('Kotlin property', (r) => some(r, 30), 'val clientSecret = "%"'),
]

/** `perKind` texts of each kind, the same for the same seed. */
export function madeSecrets(kinds: readonly SecretKind[], perKind: number, seed: number) {
  const random = seeded(seed)
  return kinds.flatMap((one) => Array.from({ length: perKind }, () => ({ kind: one.name, ...one.make(random) })))
}
