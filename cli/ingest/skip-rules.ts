/**
 * Which files are left out, and why: by name before they are read, by content after.
 * @module
 */
import { isBinaryFileSync } from 'isbinaryfile'
import type { Language } from './languages.ts'

/** Why a file was left out. */
export type SkipReason =
  | 'ignored'
  | 'excluded'
  | 'vendored'
  | 'symlink'
  | 'secret'
  | 'lock file'
  | 'generated'
  | 'data'
  | 'binary'
  | 'too large'
  | 'empty'
  | 'unreadable'

const VENDORED: ReadonlySet<string> = new Set(
  (
    '.git .hg .svn .jj node_modules bower_components jspm_packages vendor third_party Pods .venv venv ' +
    'site-packages __pycache__ .tox .nox .mypy_cache .pytest_cache .ruff_cache .next .nuxt .svelte-kit ' +
    '.astro .turbo .parcel-cache .cache .wrangler .terraform .gradle .idea .yarn .pnpm-store .nyc_output ' +
    '.hybrid-coordinator'
  ).split(' '),
)

const LOCK_FILES: ReadonlySet<string> = new Set(
  (
    'package-lock.json npm-shrinkwrap.json pnpm-lock.yaml bun.lockb go.sum go.work.sum packages.lock.json ' +
    'gradle.lockfile cargo.lock package.resolved .terraform.lock.hcl conda-lock.yml pdm.lock paket.lock'
  ).split(' '),
)

const SECRET_NAMES: readonly RegExp[] = [
  /^\.env(?:\.(?!example$|sample$|template$|dist$|defaults?$).*)?$/,
  /^\.dev\.vars(?:\..*)?$/,
  /\.(?:pem|key|p12|pfx|p8|jks|keystore|kdbx|ovpn|ppk|tfstate|tfvars|agekey)$/,
  /\.tfstate\.backup$/,
  /^(?:id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|ssh_host_.*_key)$/,
  /^(?:\.npmrc|\.yarnrc|\.pypirc|\.netrc|_netrc|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.dockercfg|\.boto|\.s3cfg)$/,
  /^(?:credentials?|secrets?|passwords?)(?:\.(?:json|ini|ya?ml|toml|xml|properties|txt|csv|cfg|conf|enc))?$/,
  /^(?:service[-_]?account|client_secret|gcloud|firebase-adminsdk).*\.json$/,
  /^(?:kubeconfig|master\.key|wallet\.dat|\.vault[-_]pass(?:word)?)$/,
]

const GENERATED_NAMES: readonly RegExp[] = [
  /[.-]min\.(?:js|mjs|cjs|css|html)$/,
  /\.(?:map|snap|tsbuildinfo)$/,
  /\.(?:pb|pb\.gw)\.(?:go|h|cc)$/,
  /_pb2(?:_grpc)?\.pyi?$/,
  /\.(?:g|freezed)\.dart$/,
  /\.designer\.(?:cs|vb)$/,
]

const DATA = /\.(?:csv|tsv|jsonl|ndjson|geojson|log|out|dump|svg|parquet|arrow|patch|diff|po|pot|srt|vtt|ipynb)$/

/** Whether a directory holds what others wrote or tools made, and is never entered. */
export function isVendored(name: string): boolean {
  return VENDORED.has(name)
}

/**
 * Why a file is left out by its name alone, or undefined.
 * @param path - path relative to the folder, with `/`
 */
export function skipByName(path: string): SkipReason | undefined {
  const name = (path.split('/').pop() ?? '').toLowerCase()
  if (SECRET_NAMES.some((pattern) => pattern.test(name)) || /(?:^|\/)\.(?:aws|ssh|gnupg|kube|azure)\//.test(path))
    return 'secret'
  if (LOCK_FILES.has(name) || name.endsWith('.lock')) return 'lock file'
  if (GENERATED_NAMES.some((pattern) => pattern.test(name))) return 'generated'
  return DATA.test(name) ? 'data' : undefined
}

/** A private key that is really there: the armour line, then within a few lines a run of base64. */
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,300}?[A-Za-z0-9+/]{40}/

/** Headers by which generators sign: Go's convention, and `@generated` at the start of a comment. */
const GENERATED_HEADER = /^(?:\/\/|#|--|\/?\*+|;)\s*(?:Code generated .* DO NOT EDIT\.?|.*@generated\b.*)$/m

/**
 * Decodes a file as text: UTF-8, UTF-16 with a byte order mark, else Windows-1252 (which decodes any bytes). Line ends
 * become `\n`; a byte order mark is dropped.
 * @returns undefined when the bytes are not text
 */
export function decodeText(bytes: Buffer): string | undefined {
  const [first, second] = bytes
  let text: string
  if (first === 0xff && second === 0xfe) text = new TextDecoder('utf-16le').decode(bytes)
  else if (first === 0xfe && second === 0xff) text = new TextDecoder('utf-16be').decode(bytes)
  else {
    if (isBinaryFileSync(bytes, { size: bytes.length })) return undefined
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      text = new TextDecoder('windows-1252').decode(bytes)
    }
  }
  return text.includes('\0') ? undefined : text.replace(/\r\n?/g, '\n').toWellFormed()
}

/**
 * Why a file is left out by its text, or undefined.
 * @param text - the decoded file
 * @param language - prose may have long lines: they are paragraphs
 */
export function skipByText(text: string, language: Language): SkipReason | undefined {
  if (text.trim() === '') return 'empty'
  if (PRIVATE_KEY.test(text)) return 'secret'
  if (GENERATED_HEADER.test(text.slice(0, 1_000))) return 'generated'
  let longest = 0
  let lines = 0
  for (let at = 0; at <= text.length; lines++) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline
    longest = Math.max(longest, end - at)
    at = end + 1
  }
  if (language.prose) return longest > 50_000 ? 'generated' : undefined
  return longest > 5_000 || (text.length > 5_000 && text.length / lines > 250) ? 'generated' : undefined
}
