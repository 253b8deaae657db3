/**
 * The formats of credentials: issuers' published prefixes and lengths, followed by self-describing formats.
 *
 * Every quantifier is bounded, and every format has words that must occur before it is tried, so that the time is
 * linear in the length of the text. Formats are tried in order; later ones don't see what earlier ones have replaced.
 * @module
 */

/** One format of a secret. */
export interface SecretForm {
  readonly kind: string
  /** In lower case. Every text with such a secret contains one of them. */
  readonly words: readonly string[]
  readonly pattern: RegExp
  /** Group of the pattern that matches the secret. Default: the whole match. */
  readonly group?: number
}

/** Tokens with a known prefix: kind, prefix, and the text that follows. */
const PREFIXED: readonly (readonly [kind: string, prefix: string, rest: string])[] = [
  ['coordinator_key', 'hck_', '[\\w-]{43}'],
  ['github_token', 'gh[pousr]_', '[A-Za-z0-9]{36,255}'],
  ['github_token', 'github_pat_', '\\w{60,255}'],
  [
    'gitlab_token',
    'gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|rtr)-',
    '[\\w-]{20,255}(?:\\.[0-9a-z]{2}\\.[0-9a-z]{6,12})?',
  ],
  ['slack_token', 'xox[abcdeoprs]-', '[A-Za-z0-9%+/=-]{10,250}'],
  ['slack_app_token', 'xapp-\\d-', '[A-Za-z0-9-]{20,250}'],
  ['google_api_key', 'AIza', '[\\w-]{35}'],
  ['google_oauth_secret', 'GOCSPX-', '[\\w-]{28}'],
  ['google_oauth_token', 'ya29\\.', '[\\w-]{20,1000}'],
  ['stripe_key', '[rs]k_(?:live|test)_', '[A-Za-z0-9]{16,250}'],
  ['stripe_webhook_secret', 'whsec_', '[A-Za-z0-9+/=]{24,100}'],
  ['npm_token', 'npm_', '[A-Za-z0-9]{36}'],
  ['pypi_token', 'pypi-', 'AgE[\\w-]{50,1000}'],
  ['rubygems_key', 'rubygems_', '[0-9a-f]{48}'],
  ['crates_io_token', 'cio', '[A-Za-z0-9]{32}'],
  ['clojars_token', 'CLOJARS_', '[0-9a-z]{60}'],
  ['docker_token', 'dckr_(?:pat|oat)_', '[\\w-]{27,64}'],
  ['hugging_face_token', 'hf_', '[A-Za-z0-9]{34,40}'],
  ['groq_key', 'gsk_', '[A-Za-z0-9]{52}'],
  ['perplexity_key', 'pplx-', '[A-Za-z0-9]{40,64}'],
  ['replicate_token', 'r8_', '[A-Za-z0-9]{37}'],
  ['xai_key', 'xai-', '[A-Za-z0-9]{80}'],
  ['nvidia_key', 'nvapi-', '[\\w-]{60,80}'],
  ['digitalocean_token', 'do[opr]_v1_', '[0-9a-f]{64}'],
  ['shopify_token', 'shp(?:at|ca|pa|ss)_', '[0-9a-fA-F]{32}'],
  ['square_token', 'sq0(?:atp|csp|idp)-', '[\\w-]{22,43}'],
  ['databricks_token', 'dapi', '[0-9a-f]{32}(?:-\\d)?'],
  ['doppler_token', 'dp\\.(?:pt|st|ct|sa|scim|audit)\\.', '[A-Za-z0-9._-]{40,80}'],
  ['heroku_key', 'HRKU-AA', '[\\w-]{50,64}'],
  ['linear_key', 'lin_(?:api|oauth)_', '[A-Za-z0-9]{40,64}'],
  ['notion_token', 'ntn_', '[A-Za-z0-9]{40,60}'],
  ['atlassian_token', 'AT(?:ATT|CTT)3', '[\\w=-]{60,300}'],
  ['figma_token', 'fig[dour]_', '[\\w-]{40,64}'],
  ['grafana_token', 'glsa_', '[A-Za-z0-9]{32}_[0-9a-fA-F]{8}'],
  ['grafana_cloud_token', 'glc_', '[A-Za-z0-9+/=]{32,400}'],
  ['new_relic_key', 'NRAK-', '[A-Z0-9]{27}'],
  ['sentry_token', 'sntry[su]_', '[\\w+/=-]{60,400}'],
  ['terraform_token', '[A-Za-z0-9]{14}\\.atlasv1\\.', '[\\w=-]{60,70}'],
  ['vault_token', 'hv[sbr]\\.', '[\\w-]{24,300}'],
  ['postman_key', 'PMAK-', '[0-9a-f]{24}-[0-9a-f]{34}'],
  ['planetscale_token', 'pscale_(?:tkn|pw|oauth)_', '[\\w.=-]{32,64}'],
  ['supabase_token', 'sb(?:p|_secret)_', '[\\w-]{20,64}'],
  ['age_secret_key', 'AGE-SECRET-KEY-1', '[0-9A-Z]{58}'],
  ['pulumi_token', 'pul-', '[0-9a-f]{40}'],
  ['dynatrace_token', 'dt0[a-z]\\d{2}\\.', '[A-Z0-9]{24}\\.[A-Z0-9]{64}'],
  ['alibaba_key', 'LTAI', '[A-Za-z0-9]{16,24}'],
  ['tencent_key', 'AKID', '[A-Za-z0-9]{32}'],
  ['buildkite_token', 'bk(?:ua|ct|at)_', '[0-9a-zA-Z]{40,64}'],
  ['tailscale_key', 'tskey-(?:auth|api|client|scim|webhook)-', '[\\w-]{20,80}'],
  ['fly_token', 'FlyV1 fm\\d_', '[\\w+/=,-]{50,2000}'],
  ['artifactory_token', 'AKCp', '[A-Za-z0-9]{60,80}'],
  ['one_password_token', 'ops_eyJ', '[\\w=-]{100,2000}'],
  ['prefect_key', 'pn[ub]_', '[0-9a-zA-Z]{36}'],
  ['readme_key', 'rdme_', '[0-9a-z]{70}'],
  ['adafruit_key', 'aio_', '[A-Za-z0-9]{28}'],
  ['airtable_token', 'pat', '[A-Za-z0-9]{14}\\.[0-9a-f]{64}'],
  ['typeform_token', 'tfp_', '[\\w.=-]{40,64}'],
  ['sendgrid_key', 'SG\\.', '[\\w-]{16,32}\\.[\\w-]{32,64}'],
  ['mailgun_key', 'key-', '[0-9a-f]{32}'],
  ['twilio_key', 'SK', '[0-9a-f]{32}'],
  ['easypost_key', 'EZ[AT]K', '[A-Za-z0-9]{54}'],
  ['model_provider_key', 'sk-(?:ant|proj|or-v1|svcacct|admin|lf)-', '[\\w-]{20,250}'],
  ['model_provider_key', 'sk-', '(?=[A-Za-z]{0,60}\\d)(?=[a-z0-9]{0,60}[A-Z]|[0-9a-f]{32})[A-Za-z0-9]{20,120}'],
  ['aws_bedrock_key', 'ABSK', '[A-Za-z0-9+/=]{100,200}'],
  ['langsmith_key', 'lsv2_(?:pt|sk)_', '[0-9a-f]{32}_[0-9a-f]{8,12}'],
  ['tavily_key', 'tvly-', '(?:dev-|prod-)?[A-Za-z0-9]{20,60}'],
  ['pinecone_key', 'pcsk_', '\\w{40,90}'],
  ['firecrawl_key', 'fc-', '[0-9a-f]{32}'],
  ['resend_key', 're_', '(?=\\w{0,30}\\d)[A-Za-z0-9]{6,12}_[A-Za-z0-9]{16,40}'],
  ['posthog_key', 'ph[xs]_', '[A-Za-z0-9]{40,60}'],
  ['wandb_key', 'wandb_v1_', '\\w{40,120}'],
  ['contentful_token', 'CFPAT-', '[\\w-]{40,60}'],
  ['ory_token', 'ory_(?:at|rt|ac|st|pat|wak)_', '[\\w.-]{30,200}'],
  ['paseto', 'v[1-4]\\.(?:local|public)\\.', '[\\w-]{40,4000}(?:\\.[\\w-]{4,400})?'],
  ['one_password_secret_key', 'A3-', '[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}'],
  ['adobe_client_secret', 'p8e-', '[A-Za-z0-9]{32}'],
  ['artifactory_token', 'cmVmd', '[A-Za-z0-9]{59}'],
  [
    'authress_key',
    '(?:sc|ext|scauth|authress)_',
    '[a-z0-9]{5,30}\\.[a-z0-9]{4,6}\\.acc[_-][a-z0-9-]{10,32}\\.[A-Za-z0-9+/_=-]{30,120}',
  ],
  ['aws_bedrock_key', 'bedrock-api-key-', 'YmVkcm9jay5hbWF6b25hd3MuY29t[A-Za-z0-9+/=]{0,2000}'],
  ['cloudflare_origin_ca_key', 'v1\\.0-', '[0-9a-f]{24}-[0-9a-f]{146}'],
  ['defined_networking_key', 'dnkey-', '[\\w-]{20,30}-[\\w-]{40,60}'],
  ['duffel_token', 'duffel_(?:test|live)_', '[\\w=-]{40,60}'],
  ['flutterwave_key', 'FLWSECK(?:_TEST)?-', '[0-9a-z]{12,40}(?:-X)?'],
  ['fly_token', 'fm[12][ar]?_', '[A-Za-z0-9+/]{100,2000}={0,3}'],
  ['fly_token', 'fo1_', '[\\w-]{43}'],
  ['frame_io_token', 'fio-u-', '[\\w=-]{60,70}'],
  ['gitlab_token', 'glffct-', '[\\w-]{20,60}'],
  ['gitlab_token', 'GR1348941', '[\\w-]{20}'],
  ['grafana_key', 'eyJrIjoi', '[A-Za-z0-9]{70,400}={0,3}'],
  ['harness_token', '[ps]at\\.', '[\\w-]{22}\\.[0-9A-Za-z]{24}\\.[0-9A-Za-z]{20}'],
  ['hugging_face_token', 'api_org_', '[A-Za-z]{34}'],
  ['infracost_key', 'ico-', '[A-Za-z0-9]{32}'],
  ['intra42_secret', 's-s4t2(?:ud|af)-', '[0-9a-f]{64}'],
  ['maxmind_key', '[A-Za-z0-9]{6}_', '[A-Za-z0-9]{29}_mmk'],
  ['new_relic_key', 'NRII-', '[A-Za-z0-9-]{32}'],
  ['octopus_key', 'API-', '(?=[A-Z]{0,25}\\d)[A-Z0-9]{26}'],
  ['openshift_token', 'sha256~', '[\\w-]{43}'],
  ['plaid_token', 'access-(?:sandbox|development|production)-', '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'],
  ['scalingo_token', 'tk-us-', '[\\w-]{48}'],
  ['brevo_key', 'xkeysib-', '[0-9a-f]{64}-[A-Za-z0-9]{16}'],
  ['settlemint_token', 'sm_[aps]at_', '[A-Za-z0-9]{16}'],
  ['shippo_token', 'shippo_(?:live|test)_', '[0-9a-fA-F]{40}'],
  ['sonar_token', 'sq[uap]_', '[0-9a-z]{40}'],
  ['sourcegraph_token', 'sgp_', '(?:(?:[0-9a-fA-F]{16}|local)_)?[0-9a-fA-F]{40}'],
  ['yandex_key', 'AQVN', '[\\w-]{35,38}'],
  ['yandex_token', 't1\\.', '[\\w-]{20,400}={0,2}\\.[\\w-]{86}={0,2}'],
  ['azure_devops_token', '', '[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}'],
]

/** The longest fixed part of a prefix, used to skip texts without it quickly. */
function wordOf(prefix: string): string {
  const parts = prefix.split(/\[[^\]]*\](?:\{\d+\})?|\(\?:[^)]*\)|\\d(?:\{\d\})?/)
  const longest = parts.sort((a, b) => b.length - a.length)[0] ?? ''
  return longest.replaceAll('\\', '').toLowerCase()
}

const PREFIXED_FORMS = PREFIXED.map(
  ([kind, prefix, rest]): SecretForm => ({
    kind,
    words: [prefix === '' ? 'azdo' : wordOf(prefix)],
    pattern: new RegExp(`(?<![A-Za-z0-9]|\\bsha\\d{3}[=-])${prefix}${rest}(?![A-Za-z0-9])`, 'g'),
  }),
)

/** All formats, in the order in which they are tried. redact.ts handles private keys itself. */
export const SECRET_FORMS: readonly SecretForm[] = [
  ...PREFIXED_FORMS,
  {
    kind: 'aws_access_key',
    words: ['akia', 'asia', 'abia', 'acca'],
    pattern: /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/g,
  },
  {
    kind: 'json_web_token',
    words: ['eyj'],
    pattern: /\beyJ[\w-]{10,4000}\.eyJ[\w-]{4,8000}\.[\w-]{10,2000}/g,
  },
  { kind: 'google_refresh_token', words: ['1//0'], pattern: /(?<![A-Za-z0-9+/=])1\/\/0[\w-]{40,200}(?![A-Za-z0-9])/g },
  {
    // The format that most issuers use now: an issuer name, followed by a long random part with both cases and digits.
    kind: 'prefixed_token',
    words: ['_', '-'],
    pattern:
      /(?<![\w.+/=%-])(?!sha\d)[a-z][a-z0-9]{1,11}(?:[_-][A-Za-z0-9]{1,8}){0,3}[_-](?=[A-Za-z]{0,60}\d[A-Za-z]{0,60}\d)(?=[a-z0-9]{0,60}[A-Z])(?=[A-Z0-9]{0,60}[a-z])[A-Za-z0-9]{32,200}(?![\w+/=-])/g,
  },
  {
    kind: 'slack_webhook',
    words: ['hooks.slack.com'],
    pattern: /hooks\.slack\.com\/(?:services|workflows|triggers)\/([A-Za-z0-9/_-]{20,200})/g,
    group: 1,
  },
  {
    kind: 'discord_webhook',
    words: ['/api/webhooks/'],
    pattern: /discord(?:app)?\.com\/api\/webhooks\/(\d{17,20}\/[\w-]{60,80})/g,
    group: 1,
  },
  {
    kind: 'teams_webhook',
    words: ['webhook.office.com'],
    pattern: /webhook\.office\.com\/webhookb2\/([\w@/-]{40,300})/g,
    group: 1,
  },
  {
    // The address is the credential: anyone who knows it can post. A path with the word `hook` and a random last part.
    kind: 'webhook_address',
    words: ['hook'],
    pattern:
      /\bhttps:\/\/[\w.-]{4,100}(?:\/[\w.~-]{1,60}){0,5}(?<=[/.-](?:web)?hooks?(?:[/.][\w./~-]{0,200})?)\/((?=[\w-]{0,200}\d[A-Za-z])[\w-]{16,200})(?![\w/.-])/g,
    group: 1,
  },
  { kind: 'telegram_bot_token', words: [':aa'], pattern: /\b\d{8,10}:AA[\w-]{33}(?![\w-])/g },
  { kind: 'discord_token', words: ['.'], pattern: /\b[MNO][A-Za-z\d]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-])/g },
  { kind: 'mailchimp_key', words: ['-us'], pattern: /\b[0-9a-f]{32}-us\d{1,2}\b/g },
  { kind: 'azure_client_secret', words: ['8q~'], pattern: /(?<![\w~.-])[\w~.-]{3}8Q~[\w~.-]{31,34}(?![\w~.-])/g },
  {
    kind: 'azure_storage_key',
    words: ['accountkey='],
    pattern: /\bAccountKey=([A-Za-z0-9+/]{60,90}={0,2})/gi,
    group: 1,
  },
  {
    kind: 'azure_shared_access_key',
    words: ['sharedaccesskey='],
    pattern: /\bSharedAccessKey=([A-Za-z0-9+/]{40,90}={0,2})/gi,
    group: 1,
  },
  { kind: 'azure_signature', words: ['sig='], pattern: /[?&]sig=([A-Za-z0-9%]{40,120})/g, group: 1 },
  { kind: 'facebook_token', words: ['eaa'], pattern: /\bEAA(?![A-Za-z0-9]{0,250}AAA)[A-Za-z0-9]{80,250}\b/g },
  { kind: 'square_access_token', words: ['eaaa'], pattern: /\bEAAA[\w-]{60}(?![\w-])/g },
  { kind: 'dropbox_token', words: ['sl.'], pattern: /\bsl\.[\w-]{130,300}(?![\w-])/g },
  { kind: 'firebase_server_key', words: [':apa91b'], pattern: /\b[\w-]{7,20}:APA91b[\w-]{100,200}/g },
  {
    kind: 'url_password',
    words: ['://'],
    // The password may contain a raw `@` or `/`. Digits and a slash are a port and a path. A password that repeats the
    // user is an example.
    pattern:
      /(?<![A-Za-z0-9])[a-z][a-z0-9+.-]{1,20}:\/\/(?!anonymous:)([^\s/:@"'<>`]{0,100}):(?!\d{1,5}\/|\1@|[a-z0-9]{1,8}@(?:[\w-]{1,40}\.)?(?:example\.|domain\.com))([^\s"'<>`]{3,200})@(?=[\w.-]{1,100}(?::\d{1,5})?(?:[/?,\s"'<>`)\]]|$)|\[[0-9a-f:]{2,40}\])/gi,
    group: 2,
  },
  {
    kind: 'connection_string_password',
    words: ['pwd=', 'password='],
    pattern: /;\s{0,5}(?:pwd|password)=([^;"'\s]{6,200})(?=[;"'\s]|$)/gi,
    group: 1,
  },
  {
    kind: 'netrc_password',
    words: ['machine '],
    pattern: /\bmachine\s{1,5}\S{1,200}\s{1,10}login\s{1,5}\S{1,200}\s{1,10}password\s{1,5}(\S{6,200})/g,
    group: 1,
  },
  {
    kind: 'bearer_token',
    words: ['authorization'],
    pattern: /\bauthorization["']?\s{0,5}[:=]\s{0,5}["']?(?:bearer|basic|token)\s{1,5}([A-Za-z0-9+/=._~:-]{12,4000})/gi,
    group: 1,
  },
  {
    kind: 'command_line_password',
    words: ['curl', 'wget', 'http'],
    pattern: /\b(?:curl|wget|https?)\b[^\n]{0,300}?\s(?:-u|--user)[ =]{0,3}["']?[^\s:"']{1,100}:([^\s"']{3,200})/g,
    group: 1,
  },
  {
    kind: 'command_line_password',
    words: ['sshpass'],
    pattern: /\bsshpass\s{1,5}-p\s{0,5}(?:"([^"\n]{3,200})"|'([^'\n]{3,200})'|([^\s"']{3,200}))/g,
    group: 1,
  },
  {
    kind: 'command_line_password',
    words: ['mysql', 'mariadb'],
    pattern: /\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;]{0,200}?\s-p(?!\s)["']?([^\s"']{4,200})/g,
    group: 1,
  },
  {
    kind: 'command_line_password',
    words: ['--pass', '--token', '--secret', '--api', '--access'],
    pattern:
      /(?<![\w-])--(?:[a-z]{1,20}-){0,2}(?:password|passwd|passphrase|token|secret|api-?key|access-?key)\s{1,5}["']?((?=[^\s"']{0,100}\d)[A-Za-z0-9][^\s"'<>()[\]{}|]{5,200})/g,
    group: 1,
  },
  {
    kind: 'xml_secret',
    words: ['password>', 'secret>', 'token>', 'key>', 'passphrase>'],
    pattern:
      /<([\w.:-]{0,60}(?:password|passphrase|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key))(?:\s[^<>]{0,200})?>\s{0,5}([^<>\s](?:[^<>\n]{2,200}[^<>\s])?)\s{0,5}<\/\1>/gi,
    group: 2,
  },
  {
    kind: 'xml_secret',
    words: ['value='],
    pattern:
      /\b(?:key|name)=["'][^"'\n]{0,80}(?:password|passphrase|secret|token|api[_.-]?key|access[_.-]?key)["']\s{1,5}value=["']([^"'\n]{4,300})["']/gi,
    group: 1,
  },
  {
    kind: 'session_cookie',
    words: ['cookie'],
    pattern:
      /\bcookie["']?\s{0,3}[:=][^\n]{0,300}?\b[\w.-]{0,40}(?:session|sess|sid|auth|token|jwt)[\w.-]{0,20}=([\w%.+/=~-]{12,4000})/gi,
    group: 1,
  },
  {
    kind: 'encoded_private_key',
    words: ['ls0tls1crudjti'],
    // "-----BEGIN …" in base64, except certificates and public keys.
    pattern: /(?<![A-Za-z0-9+/])LS0tLS1CRUdJTi(?!BDRVJU|BQVUJM|BUUlVTVEVE)[A-Za-z0-9+/]{80,16000}={0,2}/g,
  },
]
