/**
 * Rules for files that are skipped because of their kind: by name if it is sufficient, otherwise by their text.
 * @module
 */
import { isSignedGenerated } from './generated.ts'
import type { Language } from './languages.ts'

/** Why a file was skipped. */
export type SkipReason =
  | 'ignored'
  | 'excluded'
  | 'vendored'
  | 'same repository'
  | 'submodule not checked out'
  | 'symlink'
  | 'secret'
  | 'lock file'
  | 'generated'
  | 'minified'
  | 'data'
  | 'picture'
  | 'binary'
  | 'encoding unclear'
  | 'large file pointer'
  | 'no Markdown'
  | 'too large'
  | 'empty'
  | 'unreadable'

/** Directories that only tools write: never entered outside a repository, and skipped even if tracked. */
const TOOL_FOLDERS: ReadonlySet<string> = new Set(
  (
    '.git .hg .svn .jj node_modules bower_components jspm_packages Pods .venv ' +
    'site-packages __pycache__ .tox .nox .mypy_cache .pytest_cache .ruff_cache .next .nuxt .svelte-kit ' +
    '.astro .turbo .parcel-cache .cache .wrangler .terraform .gradle .idea .yarn .pnpm-store .nyc_output ' +
    '.hybrid-coordinator'
  ).split(' '),
)

/** Directory names that usually mean third-party code, but can also be ordinary words. */
const VENDOR_FOLDER = /^(?:vendor|vendors|third[-_]?party|3rd[-_]?party|venv)$/i
/**
 * Files that only occur in a package manager's folder or in a copy of another project, relative to such a directory.
 */
const VENDOR_EVIDENCE =
  /^(?:modules\.txt|autoload\.php|composer\/|bundle\/|pyvenv\.cfg|(?:[^/]+\/){0,3}(?:licen[cs]e|copying|unlicense|notice|\.gitrepo|readme\.chromium|metadata)(?:[-._][^/]*)?$)/i

const LOCK_FILES: ReadonlySet<string> = new Set(
  (
    'package-lock.json npm-shrinkwrap.json pnpm-lock.yaml yarn.lock bun.lock bun.lockb deno.lock go.sum go.work.sum ' +
    'packages.lock.json gradle.lockfile cargo.lock package.resolved .terraform.lock.hcl conda-lock.yml pdm.lock uv.lock ' +
    'poetry.lock pipfile.lock gemfile.lock composer.lock mix.lock rebar.lock pubspec.lock podfile.lock cartfile.resolved ' +
    'flake.lock paket.lock project.assets.json symfony.lock shard.lock stack.yaml.lock cabal.project.freeze ' +
    'module.bazel.lock chart.lock'
  ).split(' '),
)

/** Files whose only purpose is to store secrets. */
const SECRET_NAMES: readonly RegExp[] = [
  /^\.env(?:\.(?!example$|sample$|template$|dist$|defaults?$).*)?$/,
  /^\.dev\.vars(?:\..*)?$/,
  /\.(?:p12|pfx|jks|keystore|kdbx|ovpn|ppk|tfstate|tfvars|agekey)$/,
  /\.tfstate\.backup$/,
  /^(?:id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|ssh_host_.*_key)$/,
  /^(?:\.pypirc|\.netrc|_netrc|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.dockercfg|\.boto|\.s3cfg)$/,
  /^(?:service[-_]?account|client_secret|gcloud|firebase-adminsdk).*\.json$/,
  /^(?:kubeconfig|master\.key|wallet\.dat|\.vault[-_]pass(?:word)?)$/,
]

/** Files that often contain secrets: their text decides. */
const SUSPECT_NAMES: readonly RegExp[] = [
  /^(?:credentials?|secrets?|passwords?)(?:\.(?:json|ini|ya?ml|toml|xml|properties|txt|csv|cfg|conf|enc))?$/,
  /^(?:\.npmrc|\.yarnrc(?:\.yml)?)$/,
  /\.(?:pem|key|p8)$/,
]
/** A literal value, not a reference or placeholder, for a name that indicates a secret. */
const SECRET_VALUE =
  /(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|_auth)[\w.-]*["']?\s*[:=]\s*["']?(?!["'\s]|\$[{(]|\{\{|<|%|your|change|example|xxx|\*\*|null|true|false|ENC\[|vault:|ref\+|!)[^\s"']{4,}/i
const SECRET_MANIFEST = /^kind:\s*["']?Secret["']?\s*$/m

/** Data formats that are read if they are small enough for a person to read. */
const DATA = /\.(?:csv|tsv|jsonl|ndjson|geojson|log|out|dump|patch|diff|srt|vtt)$/
const MAX_DATA = 64 * 1024
const NEVER_TEXT = /\.(?:parquet|arrow|tsbuildinfo|po|pot)$/
const PICTURE = /\.svg$/
const MAP = /\.(?:js|mjs|cjs|css|wasm)\.map$/

/** Whether a directory contains only generated files, so that it is never entered outside a repository. */
export function isToolFolder(name: string): boolean {
  return TOOL_FOLDERS.has(name)
}

/**
 * The parent directories of files with third-party content, with a trailing `/`: those of tools, and those named
 * `vendor` or `third_party` that contain a package manager's list or another project's licence.
 * @param paths - all files, relative, with `/`
 */
export function vendoredFolders(paths: readonly string[]): Set<string> {
  const vendored = new Set<string>()
  for (const path of paths) {
    const parts = path.split('/')
    for (let i = 0; i < parts.length - 1; i++) {
      const name = parts[i] ?? ''
      if (TOOL_FOLDERS.has(name)) {
        vendored.add(`${parts.slice(0, i + 1).join('/')}/`)
        break
      }
      if (VENDOR_FOLDER.test(name) && VENDOR_EVIDENCE.test(parts.slice(i + 1).join('/'))) {
        vendored.add(`${parts.slice(0, i + 1).join('/')}/`)
        break
      }
    }
  }
  return vendored
}

/**
 * The reason for skipping a file by its name and size, or undefined.
 * @param path - path relative to the folder, with `/`
 * @param bytes - its size
 */
export function skipByName(path: string, bytes = 0): SkipReason | undefined {
  const name = (path.split('/').pop() ?? '').toLowerCase()
  if (SECRET_NAMES.some((pattern) => pattern.test(name)) || /(?:^|\/)\.(?:aws|ssh|gnupg|kube|azure)\//.test(path))
    return 'secret'
  if (LOCK_FILES.has(name)) return 'lock file'
  if (MAP.test(name)) return 'generated'
  if (PICTURE.test(name)) return 'picture'
  return NEVER_TEXT.test(name) || (DATA.test(name) && bytes > MAX_DATA) ? 'data' : undefined
}

/** A real private key: the header line, followed within a few lines by a run of base64. */
const PRIVATE_KEY =
  /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,300}?[A-Za-z0-9+/]{40}[\s\S]{0,20000}?(?:-----END [A-Z0-9 ]{0,40}-----|$)/g

/** Number of characters of private keys in a text. */
function keyCharacters(text: string): number {
  return [...text.matchAll(PRIVATE_KEY)].reduce((sum, [key]) => sum + key.length, 0)
}

/** A literal or encoded run that people don't read. It is removed before its line is classified and stored. */
const LONG_LITERAL = /(data:[\w.+-]+\/[\w.+-]+(?:;[\w=.-]+)*,)[^\s"'`)<>]{500,}|[A-Za-z0-9+/_=-]{1000,}/g
const LONG_STRING = /"(?:[^"\\\n]|\\.){1000,}"|'(?:[^'\\\n]|\\.){1000,}'|`(?:[^`\\\n]|\\.){1000,}`/g
const KEPT_OF_LITERAL = 60
const LONG_LINE = 1_000

/**
 * A text without the middle of its long literals: data URIs, encoded runs and, in code, string literals of more than
 * 1,000 characters on one line. Line numbers don't change.
 */
export function withoutLongLiterals(text: string, language: Language): string {
  const shorten = (literal: string): string =>
    `${literal.slice(0, KEPT_OF_LITERAL).toWellFormed()}…${/["'`]$/.exec(literal)?.[0] ?? ''}`
  // Quotation marks in a text of no known language enclose prose.
  const isCode = !language.prose && language.name !== 'text'
  const lines = text.split('\n')
  let changed = false
  for (const [i, line] of lines.entries()) {
    if (line.length < 500) continue
    let short = line.replace(LONG_LITERAL, shorten)
    if (isCode && short.length > LONG_LINE) short = short.replace(LONG_STRING, shorten)
    if (short === line) continue
    lines[i] = short
    changed = true
  }
  return changed ? lines.join('\n') : text
}

/** Formats in which a long line is data or a paragraph, not minified code. */
const LONG_LINES_ARE_FINE: ReadonlySet<string> = new Set(['sql', 'json', 'yaml', 'xml', 'html', 'text', 'csv'])
const MIN_MINIFIED = 5_000

/** Whether most of a text is code without line breaks. */
function isMinified(text: string, language: Language): boolean {
  if (language.prose || LONG_LINES_ARE_FINE.has(language.name) || text.length < MIN_MINIFIED) return false
  let inLongLines = 0
  let lines = 0
  for (let at = 0; at <= text.length; lines++) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline
    if (end - at > LONG_LINE) inLongLines += end - at
    at = end + 1
  }
  return inLongLines > text.length / 2 || text.length / lines > 250
}

/**
 * The reason for skipping a file by its text, or undefined.
 * @param path - its path; the kind suggested by its name is checked against the text
 * @param text - the decoded file, without long literals
 * @param attribute - from `.gitattributes`: generated, not generated, or not set
 */
export function skipByText(
  path: string,
  text: string,
  language: Language,
  attribute?: boolean,
): SkipReason | undefined {
  if (text.trim() === '') return 'empty'
  const name = (path.split('/').pop() ?? '').toLowerCase()
  if (keyCharacters(text) * 2 > text.length) return 'secret'
  if (SUSPECT_NAMES.some((pattern) => pattern.test(name)) && (SECRET_VALUE.test(text) || SECRET_MANIFEST.test(text)))
    return 'secret'
  if (text.startsWith('version https://git-lfs.github.com/spec/')) return 'large file pointer'
  if (attribute ?? isSignedGenerated(path, text)) return 'generated'
  if (/\.map$/.test(name) && /^\s*\{[\s\S]{0,200}"(?:mappings|sections|sources)"\s*:/.test(text)) return 'generated'
  return attribute === undefined && isMinified(text, language) ? 'minified' : undefined
}

/** Removes private keys from a text line by line, so that line numbers don't change. */
export function withoutPrivateKeys(text: string): string {
  return text.replace(PRIVATE_KEY, (key) => `[private key]${'\n'.repeat(key.split('\n').length - 1)}`)
}
