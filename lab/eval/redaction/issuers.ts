/**
 * Published formats of credentials, for measuring the recall of redaction on kinds without a rule. Facts only: prefix,
 * alphabet, length. From gitleaks 8 (July 2026), from which rules were added after the first measurement, from
 * kingfisher (June 2025), whose misses were examined afterwards, and from trufflehog (detectors.ts).
 * @module
 */
import type { Random } from '../../../cli/shared/random.ts'
import {
  BASE64,
  type Form,
  HELD_OUT_DETECTORS,
  HELD_OUT_PLACES,
  HEX,
  LOWER,
  MIXED,
  SEEN_DETECTORS,
  SEEN_PLACES,
  UPPER,
  URL_SAFE,
} from './detectors.ts'

const some = (random: Random, length: number, alphabet: string) =>
  Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')

/** From gitleaks: tokens recognisable by an issuer's prefix or suffix. */
const MARKED: readonly Form[] = [
  ['1Password secret key', 'A3-', [UPPER, 6], '-', [UPPER, 11], '-', [UPPER, 5], '-', [UPPER, 5], '-', [UPPER, 5]],
  ['Adobe client secret', 'p8e-', [LOWER, 32]],
  ['Artifactory reference token', 'cmVmd', [MIXED, 59]],
  ['Authress access key', 'sc_', [LOWER, 12], '.', [LOWER, 5], '.acc_', [LOWER, 16], '.', [BASE64, 64]],
  ['Amazon Bedrock short-lived key', 'bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t', [BASE64, 200]],
  ['Beamer', 'b_', [URL_SAFE, 44]],
  ['ClickHouse Cloud', '4b1d', [MIXED, 38]],
  ['Cloudflare origin CA', 'v1.0-', [HEX, 24], '-', [HEX, 146]],
  ['Defined Networking', 'dnkey-', [URL_SAFE, 26], '-', [URL_SAFE, 52]],
  ['Duffel', 'duffel_live_', [URL_SAFE, 43]],
  ['Flutterwave', 'FLWSECK_TEST-', ['abcdefgh0123456789', 32], '-X'],
  ['Fly.io macaroon', 'fm2_', [BASE64, 120]],
  ['Fly.io', 'fo1_', [URL_SAFE, 43]],
  ['Frame.io', 'fio-u-', [URL_SAFE, 64]],
  ['GitLab feature flags', 'glffct-', [URL_SAFE, 20]],
  ['GitLab registration', 'GR1348941', [URL_SAFE, 20]],
  ['GoCardless', 'live_', [URL_SAFE, 40]],
  ['Grafana API key', 'eyJrIjoi', [MIXED, 90]],
  ['Harness', 'pat.', [URL_SAFE, 22], '.', [MIXED, 24], '.', [MIXED, 20]],
  ['Hugging Face organisation', 'api_org_', ['abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', 34]],
  ['Infracost', 'ico-', [MIXED, 32]],
  ['Intra42', 's-s4t2ud-', [HEX, 64]],
  ['Lob', 'live_', [HEX, 35]],
  ['Mailgun signing key', [HEX, 32], '-', [HEX, 8], '-', [HEX, 8]],
  ['MaxMind', [MIXED, 6], '_', [MIXED, 29], '_mmk'],
  ['New Relic insert key', 'NRII-', [`${LOWER}-`, 32]],
  ['Octopus Deploy', 'API-', [UPPER, 26]],
  ['Okta', '00', [URL_SAFE, 40]],
  ['OpenShift', 'sha256~', [URL_SAFE, 43]],
  ['Plaid', 'access-production-', [HEX, 8], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 12]],
  ['Scalingo', 'tk-us-', [URL_SAFE, 48]],
  ['Brevo', 'xkeysib-', [HEX, 64], '-', [LOWER, 16]],
  ['SettleMint', 'sm_aat_', [MIXED, 16]],
  ['Shippo', 'shippo_live_', [HEX, 40]],
  ['SonarQube', 'squ_', [LOWER, 40]],
  ['Sourcegraph', 'sgp_', [HEX, 16], '_', [HEX, 40]],
  ['Vault, old form', 's.', [MIXED, 24]],
  ['X bearer', 'AAAAAAAAAAAAAAAAAAAAAA', [MIXED, 90]],
  ['Yandex API key', 'AQVN', [URL_SAFE, 36]],
  ['Yandex token', 't1.', [URL_SAFE, 40], '.', [URL_SAFE, 86]],
  ['Yandex S3', 'YC', [URL_SAFE, 38]],
]

/** From kingfisher: tokens recognisable by an issuer's prefix. */
const HELD_OUT: readonly Form[] = [
  ['Blynk', 'oa2-client-id_', [URL_SAFE, 32]],
  ['ClickUp', 'pk_', ['0123456789', 8], '_', [UPPER, 32]],
  ['Checkio', 'pk_', [LOWER, 45]],
  ['Close CRM', 'api_', [MIXED, 45]],
  ['Courier', 'pk_prod_', [MIXED, 28]],
  ['Dependency-Track', 'odt_', [MIXED, 32]],
  ['Flexport', 'shltm_', [URL_SAFE, 40]],
  ['HubSpot private app', 'pat-na1-', [HEX, 8], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 12]],
  ['IEX', 'sk_', [LOWER, 32]],
  ['Klaviyo', 'pk_', [MIXED, 34]],
  ['Notion, old form', 'secret_', [MIXED, 43]],
  ['SalesBlink', 'key-', [MIXED, 64]],
  ['Scrapfly', 'scp-live-', [LOWER, 32]],
  ['Segment', 'sgp_', [MIXED, 64]],
  ['Sourcegraph licence', 'slk_', [HEX, 64]],
  ['Teamwork', 'tkn.v1_', [MIXED, 71], '='],
  ['Telnyx', 'KEY', [URL_SAFE, 55]],
  ['Ticket Tailor', 'sk_', ['0123456789', 4], '_', ['0123456789', 6], '_', [HEX, 32]],
  ['Ubidots', 'BBFF-', [MIXED, 30]],
  ['Zapier webhook', 'https://hooks.zapier.com/hooks/catch/', [MIXED, 16]],
]

/** From gitleaks: tokens without a mark, recognisable only by an adjacent name. */
const UNMARKED: readonly Form[] = [
  ['Algolia', [LOWER, 32]],
  ['Asana', [LOWER, 32]],
  ['Bitbucket', [`${LOWER}_-`, 64]],
  ['Bittrex', [LOWER, 32]],
  ['Cisco Meraki', [HEX, 40]],
  ['Codecov', [LOWER, 32]],
  ['Cohere', [MIXED, 40]],
  ['Coinbase', [`${LOWER}_-`, 64]],
  ['Confluent', [LOWER, 64]],
  ['Drone CI', [LOWER, 32]],
  ['Etsy', [LOWER, 24]],
  ['Fastly', [`${LOWER}_-`, 32]],
  ['Finicity', [LOWER, 20]],
  ['Finnhub', [LOWER, 20]],
  ['Flickr', [LOWER, 32]],
  ['FreshBooks', [LOWER, 64]],
  ['Gitter', [`${LOWER}_-`, 40]],
  ['HubSpot', [HEX, 8], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 12]],
  ['Intercom', [`${LOWER}_-`, 60]],
  ['Kraken', [BASE64, 84]],
  ['KuCoin', [HEX, 24]],
  ['LaunchDarkly', [`${LOWER}_-`, 40]],
  ['LinkedIn', [LOWER, 16]],
  ['Looker', [LOWER, 24]],
  ['Mattermost', [LOWER, 26]],
  ['MessageBird', [LOWER, 25]],
  ['Netlify', [URL_SAFE, 43]],
  ['Private AI', [LOWER, 32]],
  ['RapidAPI', [`${LOWER}_-`, 50]],
  ['Sendbird', [HEX, 40]],
  ['Snyk', [HEX, 8], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 12]],
  ['Squarespace', [HEX, 8], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 4], '-', [HEX, 12]],
  ['Sumo Logic', [LOWER, 64]],
  ['Travis CI', [LOWER, 22]],
  ['Twitch', [LOWER, 30]],
  ['Zendesk', [LOWER, 40]],
]

/** Texts with a credential: `%` is the credential, `NAME` the issuer in upper case, `name` in lower case. */
const ALONE = ['I use % for now, is that right?', 'error: 401 for %\n', '> call --as %\n']
const NAMED = [
  'NAME_API_KEY=%\n',
  'export NAME_TOKEN="%"\n',
  'name:\n  api_key: %\n',
  '{"name": {"token": "%", "region": "eu"}}',
  "const client = new Name({ apiKey: '%' })",
  'curl -H "Authorization: Bearer %" https://api.name.example/v1/me',
  '[name]\nsecret_key = "%"\n',
]
/** A credential in a text. */
export interface Planted {
  readonly list: 'gitleaks' | 'kingfisher' | 'detectors, seen' | 'detectors, held out'
  readonly issuer: string
  /** `alone`: recognisable only by its format; `named`: assigned to a name or in a header. */
  readonly place: 'alone' | 'named'
  readonly secret: string
  readonly text: string
}

const PLACES = {
  gitleaks: NAMED,
  kingfisher: NAMED,
  'detectors, seen': SEEN_PLACES,
  'detectors, held out': HELD_OUT_PLACES,
}

/**
 * Random credentials of every issuer. None was ever valid.
 * @param perPlace number of credentials per issuer and place
 */
export function plantCredentials(random: Random, perPlace: number): Planted[] {
  const planted: Planted[] = []
  const plant = (list: Planted['list'], form: Form, place: Planted['place']) => {
    const [issuer, ...parts] = form
    const word = issuer.split(/[ ,]/)[0] ?? ''
    const texts = place === 'alone' ? ALONE : PLACES[list]
    for (let i = 0; i < perPlace; i++) {
      const secret = parts.map((part) => (typeof part === 'string' ? part : some(random, part[1], part[0]))).join('')
      const text = (texts[Math.floor(random() * texts.length)] ?? '%')
        .replaceAll('NAME', word.toUpperCase().replaceAll('.', '_'))
        .replaceAll('name', word.toLowerCase())
        .replace('%', () => secret)
      planted.push({ list, issuer, place, secret, text })
    }
  }
  for (const place of ['named', 'alone'] as const) {
    for (const form of MARKED) plant('gitleaks', form, place)
    for (const form of HELD_OUT) plant('kingfisher', form, place)
  }
  for (const form of UNMARKED) plant('gitleaks', form, 'named')
  for (const form of SEEN_DETECTORS) plant('detectors, seen', form, 'named')
  for (const form of HELD_OUT_DETECTORS) plant('detectors, held out', form, 'named')
  return planted
}
