/** One invented secret of every kind, in its typical text. None of them was ever valid. */

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** The given number of characters of an alphabet, always the same for the same seed. */
function some(length: number, seed: number, alphabet = LETTERS): string {
  let state = seed * 2_654_435_761 + 12_345
  let text = ''
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += alphabet[(state >>> 8) % alphabet.length]
  }
  return text
}

const HEX = '0123456789abcdef'
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const hex = (length: number, seed: number) => some(length, seed, HEX)
const PEM = [1, 2, 3, 4].map((seed) => some(64, seed)).join('\n')

/** A planted secret: the kind, the secret that must be found nowhere, and the text around it (`%` is the secret). */
export interface Planted {
  readonly kind: string
  readonly secret: string
  readonly text: string
}

const TABLE: readonly (readonly [kind: string, secret: string, around?: string])[] = [
  ['coordinator_key', `hck_${some(43, 1)}`],
  ['github_token', `ghp_${some(36, 2)}`],
  ['github_token', `github_pat_${some(82, 3)}`],
  ['gitlab_token', `glpat-${some(20, 4)}`],
  ['slack_token', `xoxb-${some(12, 5, '0123456789')}-${some(24, 5)}`],
  ['slack_app_token', `xapp-1-${some(40, 6)}`],
  ['google_api_key', `AIza${some(35, 7)}`],
  ['google_oauth_secret', `GOCSPX-${some(28, 8)}`],
  ['google_oauth_token', `ya29.${some(100, 9)}`],
  ['stripe_key', `sk_live_${some(24, 10)}`],
  ['stripe_webhook_secret', `whsec_${some(32, 11)}`],
  ['npm_token', `npm_${some(36, 12)}`],
  ['pypi_token', `pypi-AgEIcHlwaS5vcmc${some(80, 13)}`],
  ['rubygems_key', `rubygems_${hex(48, 14)}`],
  ['crates_io_token', `cio${some(32, 15)}`],
  ['clojars_token', `CLOJARS_${some(60, 16, 'abcdefghij0123456789')}`],
  ['docker_token', `dckr_pat_${some(27, 17)}`],
  ['hugging_face_token', `hf_${some(34, 18)}`],
  ['groq_key', `gsk_${some(52, 19)}`],
  ['perplexity_key', `pplx-${some(48, 20)}`],
  ['replicate_token', `r8_${some(37, 21)}`],
  ['xai_key', `xai-${some(80, 22)}`],
  ['nvidia_key', `nvapi-${some(64, 23)}`],
  ['digitalocean_token', `dop_v1_${hex(64, 24)}`],
  ['shopify_token', `shpat_${hex(32, 25)}`],
  ['square_token', `sq0atp-${some(22, 26)}`],
  ['databricks_token', `dapi${hex(32, 27)}`],
  ['doppler_token', `dp.pt.${some(43, 28)}`],
  ['heroku_key', `HRKU-AA${some(58, 29)}`],
  ['linear_key', `lin_api_${some(40, 30)}`],
  ['notion_token', `ntn_${some(46, 31)}`],
  ['atlassian_token', `ATATT3${some(180, 32)}`],
  ['figma_token', `figd_${some(40, 33)}`],
  ['grafana_token', `glsa_${some(32, 34)}_${hex(8, 34)}`],
  ['grafana_cloud_token', `glc_${some(80, 35)}`],
  ['new_relic_key', `NRAK-${some(27, 36, 'ABCDEFGHJKLMNPQRSTUVWXYZ0123456789')}`],
  ['sentry_token', `sntrys_${some(100, 37)}`],
  ['terraform_token', `${some(14, 38)}.atlasv1.${some(67, 38)}`],
  ['vault_token', `hvs.${some(90, 39)}`],
  ['postman_key', `PMAK-${hex(24, 40)}-${hex(34, 40)}`],
  ['planetscale_token', `pscale_tkn_${some(43, 41)}`],
  ['supabase_token', `sbp_${hex(40, 42)}`],
  ['age_secret_key', `AGE-SECRET-KEY-1${some(58, 43, 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L')}`],
  ['pulumi_token', `pul-${hex(40, 44)}`],
  ['dynatrace_token', `dt0c01.${some(24, 45, UPPER)}.${some(64, 45, UPPER)}`],
  ['alibaba_key', `LTAI${some(20, 46)}`],
  ['tencent_key', `AKID${some(32, 47)}`],
  ['buildkite_token', `bkua_${hex(40, 48)}`],
  ['tailscale_key', `tskey-auth-${some(40, 49)}`],
  ['fly_token', `FlyV1 fm2_${some(120, 50)}`],
  ['artifactory_token', `AKCp${some(69, 51)}`],
  ['one_password_token', `ops_eyJ${some(200, 52)}`],
  ['prefect_key', `pnu_${some(36, 53)}`],
  ['readme_key', `rdme_${some(70, 54, 'abcdefgh0123456789')}`],
  ['adafruit_key', `aio_${some(28, 55)}`],
  ['airtable_token', `pat${some(14, 56)}.${hex(64, 56)}`],
  ['typeform_token', `tfp_${some(44, 57)}`],
  ['sendgrid_key', `SG.${some(22, 58)}.${some(43, 58)}`],
  ['mailgun_key', `key-${hex(32, 59)}`],
  ['twilio_key', `SK${hex(32, 60)}`],
  ['easypost_key', `EZAK${some(54, 61)}`],
  ['model_provider_key', `sk-ant-api03-${some(90, 62)}`],
  ['model_provider_key', `sk-proj-${some(100, 63)}`],
  ['aws_access_key', `AKIA${some(16, 64, UPPER)}`],
  ['json_web_token', `eyJ${some(30, 65)}.eyJ${some(60, 65)}.${some(43, 65)}`],
  ['slack_webhook', `T${some(8, 66)}/B${some(10, 66)}/${some(24, 66)}`, 'https://hooks.slack.com/services/%'],
  ['webhook_address', `${some(10, 91)}7k${some(9, 92)}`, 'https://hooks.example.com/hooks/catch/12345/%'],
  ['discord_webhook', `${some(18, 67, '123456789')}/${some(68, 67)}`, 'https://discord.com/api/webhooks/%'],
  [
    'teams_webhook',
    `${hex(36, 68)}@${hex(36, 68)}/IncomingWebhook/${hex(32, 68)}`,
    'https://x.webhook.office.com/webhookb2/%',
  ],
  ['telegram_bot_token', `${some(10, 69, '123456789')}:AA${some(33, 69)}`],
  ['discord_token', `M${some(25, 70)}.${some(6, 70)}.${some(38, 70)}`],
  ['mailchimp_key', `${hex(32, 71)}-us12`],
  ['azure_client_secret', `${some(3, 72)}8Q~${some(34, 72)}`],
  ['azure_storage_key', `${some(86, 73)}==`, 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=%'],
  ['azure_signature', `${some(43, 74)}%3D`, 'https://a.blob.core.windows.net/c?sv=2024-01-01&sig=%'],
  ['facebook_token', `EAA${some(150, 75)}`],
  ['square_access_token', `EAAA${some(30, 76)}-${some(29, 76)}`],
  ['dropbox_token', `sl.${some(135, 77)}`],
  ['firebase_server_key', `AAAA${some(7, 78)}:APA91b${some(134, 78)}`],
  ['url_password', some(14, 79), 'postgres://app:%@db.internal:5432/app'],
  ['url_password', some(14, 80), 'redis://:%@cache.internal:6379/0'],
  ['connection_string_password', some(14, 81), 'Server=db;Database=app;User Id=app;Password=%;Encrypt=true'],
  ['netrc_password', some(16, 82), 'machine git.example.com login bot password %'],
  ['bearer_token', some(40, 83), 'curl -H "Authorization: Bearer %" https://api.example.com'],
  ['assigned_secret', some(40, 84), 'aws_secret_access_key = "%"'],
  ['assigned_secret', `${some(9, 85)}!`, `const config = { dbPassword: '%' }`],
  ['assigned_secret', some(30, 86), 'NODE_ENV=production\nexport SESSION_SECRET=%\nPORT=80'],
  ['private_key', PEM, '-----BEGIN RSA PRIVATE KEY-----\n%\n-----END RSA PRIVATE KEY-----'],
  [
    'private_key',
    PEM.slice(0, 120).replaceAll('\n', '\\n'),
    '{"key":"-----BEGIN PRIVATE KEY-----\\n%\\n-----END PRIVATE KEY-----\\n"}',
  ],
  ['private_key', PEM.slice(65, 180), '-----BEGIN OPENSSH PRIVATE KEY-----\n%'],
  ['aws_bedrock_key', `ABSK${some(120, 90)}`],
  ['google_refresh_token', `1//0${some(60, 91)}`],
  ['langsmith_key', `lsv2_pt_${hex(32, 92)}_${hex(10, 92)}`],
  ['tavily_key', `tvly-${some(32, 93)}`],
  ['pinecone_key', `pcsk_${some(60, 94)}`],
  ['firecrawl_key', `fc-${hex(32, 95)}`],
  ['resend_key', `re_${some(7, 96)}5_${some(24, 96)}`],
  ['posthog_key', `phx_${some(45, 97)}`],
  ['wandb_key', `wandb_v1_${some(60, 98)}`],
  ['contentful_token', `CFPAT-${some(43, 99)}`],
  ['ory_token', `ory_at_${some(43, 100)}`],
  ['paseto', `v4.local.${some(100, 101)}`],
  ['azure_devops_token', `${some(76, 102)}AZDO${some(4, 102)}`],
  ['azure_shared_access_key', `${some(43, 103)}=`, 'Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey=%'],
  ['command_line_password', `${some(12, 104)}!`, 'curl -u deploy:% https://api.example.org'],
  ['xml_secret', some(16, 105), '<password>%</password>'],
  ['session_cookie', some(40, 106), 'Cookie: theme=dark; session=%; lang=en'],
  ['encoded_private_key', `LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ${some(200, 107)}`],
  ['kubernetes_secret', some(24, 108), 'kind: Secret\ndata:\n  cfg: %'],
  ['issued_credential', `vcp_${some(56, 109, 'abcdefghij0123456789')}`],
  ['prefixed_token', `acme_live_${some(40, 110)}`],
  [
    'one_password_secret_key',
    `A3-${some(6, 111, UPPER)}-${some(11, 112, UPPER)}-${some(5, 113, UPPER)}-${some(5, 114, UPPER)}-${some(5, 115, UPPER)}`,
  ],
  ['adobe_client_secret', `p8e-${some(32, 116)}`],
  ['authress_key', `sc_${hex(12, 117)}.${hex(5, 118)}.acc_${hex(16, 119)}.${some(64, 120)}`],
  ['cloudflare_origin_ca_key', `v1.0-${hex(24, 121)}-${hex(146, 122)}`],
  ['defined_networking_key', `dnkey-${some(26, 123)}-${some(52, 124)}`],
  ['duffel_token', `duffel_live_${some(43, 125)}`],
  ['flutterwave_key', `FLWSECK_TEST-${hex(32, 126)}-X`],
  ['frame_io_token', `fio-u-${some(64, 127)}`],
  ['grafana_key', `eyJrIjoi${some(90, 128)}`],
  ['harness_token', `pat.${some(22, 129)}.${some(24, 130)}.${some(20, 131)}`],
  ['infracost_key', `ico-${some(32, 132)}`],
  ['intra42_secret', `s-s4t2ud-${hex(64, 133)}`],
  ['maxmind_key', `${some(6, 134)}_${some(29, 135)}_mmk`],
  ['octopus_key', `API-${some(26, 136, UPPER)}`],
  ['openshift_token', `sha256~${some(43, 137)}`],
  ['plaid_token', `access-production-${hex(8, 138)}-${hex(4, 139)}-${hex(4, 140)}-${hex(4, 141)}-${hex(12, 142)}`],
  ['scalingo_token', `tk-us-${some(48, 143)}`],
  ['brevo_key', `xkeysib-${hex(64, 144)}-${some(16, 145)}`],
  ['settlemint_token', `sm_aat_${some(16, 146)}`],
  ['shippo_token', `shippo_live_${hex(40, 147)}`],
  ['sonar_token', `squ_${hex(40, 148)}`],
  ['sourcegraph_token', `sgp_${hex(16, 149)}_${hex(40, 150)}`],
  ['yandex_key', `AQVN${some(36, 151)}`],
  ['yandex_token', `t1.${some(40, 152)}.${some(86, 153)}`],
  ['private_span', 'the merger with Initech closes on Friday', 'Remember <private>%</private> when you plan.'],
]

/** Every planted secret. */
export const PLANTED: readonly Planted[] = TABLE.map(([kind, secret, around = 'set the value %']) => ({
  kind,
  secret,
  text: around.replace('%', () => secret),
}))

/** The part of a secret to search for: unique, and on one line. */
export function trace(secret: string): string {
  const line = secret.split(/\\n|\n/)[0] ?? secret
  return line.slice(Math.min(8, Math.max(0, line.length - 16)))
}
