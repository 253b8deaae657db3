/**
 * Recognises shell commands that are checks (tests, builds, type checks, linters of common tools), and interprets their
 * exit codes. Pure functions.
 * @module
 */
import { splitCommand } from './shell.mjs'

/** Names of scripts and make targets that run checks. */
const TARGET =
  /^(?:t|tests?|units?|spec|lint|typecheck|type-check|types|tsc|check|build|compile|verify|validate|ci|all)(?:[:._-].*)?$/
/** Names of such scripts that never end, or that change files instead of checking them. */
const NO_CHECK = /watch|dev|serve|start|\bui\b|fix|update|clean|open|debug/
/** A rough sign of a check, for commands that are too complex to parse. */
const MAY_CHECK = /\b(?:tests?|pytest|vitest|jest|tsc|lint|clippy|build|check|make|verify)\b/
/** Options with which a tool prints information or runs forever instead of checking. */
const TELLS =
  /^(?:--help|-h|--version|-V|--watch|--watchAll|--watch=.*|--list|--listTests|--list-tests|--collect-only|--co|--dry-run|--just-print|--ui|--init|--showConfig|--show-config)$/
/** Tools whose first argument that isn't an option determines what they do. `true`: they always check. */
const TOOLS = {
  vitest: /^(?!watch$|dev$|bench$|list$|init$)/,
  jest: true,
  mocha: true,
  ava: true,
  playwright: /^test$/,
  cypress: /^run$/,
  tsc: true,
  eslint: true,
  biome: /^(?:check|lint|ci)$/,
  deno: /^(?:test|lint|check)$/,
  pytest: true,
  'py.test': true,
  tox: true,
  nox: true,
  mypy: true,
  pyright: true,
  ruff: /^check$/,
  cargo: /^(?:test|nextest|build|check|clippy|t|b|c)$/,
  go: /^(?:test|build|vet)$/,
  'golangci-lint': /^run$/,
  mvn: /^(?:.*:)?(?:test|verify|package|compile|install)$/,
  mvnw: /^(?:.*:)?(?:test|verify|package|compile|install)$/,
  gradle: /(?:^|:)(?:test|build|check|assemble)\w*$/,
  gradlew: /(?:^|:)(?:test|build|check|assemble)\w*$/,
  sbt: /^(?:test|compile|testOnly.*)$/,
  dotnet: /^(?:test|build)$/,
  swift: /^(?:test|build)$/,
  mix: /^(?:test|compile|credo|dialyzer)$/,
  bazel: /^(?:test|build)$/,
  zig: /^(?:test|build)$/,
  flutter: /^(?:test|analyze)$/,
  dart: /^(?:test|analyze)$/,
  rake: /^(?:test|spec)/,
  rspec: true,
  rubocop: true,
  phpunit: true,
  phpstan: /^analy[sz]e$/,
  ctest: true,
  shellcheck: true,
}
/** Package managers that run scripts. Only npm requires `run` before custom scripts. */
const SCRIPT_RUNNERS = new Set(['npm', 'pnpm', 'yarn', 'bun'])
/** Build tools with targets. */
const TARGET_RUNNERS = new Set(['make', 'gmake', 'ninja', 'just', 'task'])
/** Commands that rarely fail, so that the failure of a list with them is the failure of its check. */
const HARMLESS = new Set([
  'cd',
  'pushd',
  'popd',
  'export',
  'unset',
  'set',
  'source',
  '.',
  'true',
  ':',
  'echo',
  'printf',
  'pwd',
  'clear',
  'sleep',
])
/** Last commands of a pipe that pass on their input. */
const PASSES_ON = new Set(['tail', 'head', 'cat', 'tee'])
/** Options of package managers and containers that take a value. */
const VALUED =
  /^(?:-C|-w|-F|--prefix|--workspace|--filter|--cwd|-e|-u|-v|-p|--env|--user|--workdir|--volume|--publish|--name|--entrypoint|--network|--env-file|-f|--file|--profile|-n|-s|-k|--signal|--kill-after|--package|-g|--with|--extra|--group|--project|--directory|--python)$/

/**
 * Interprets the exit code of a command that contains a check.
 * @param {string} command
 * @returns {{ check: boolean, passTells: boolean, failTells: boolean }} `passTells`: exit code 0 means that the check
 *   passed; `failTells`: any other code means that it failed. Both are false if the check's own code is hidden.
 */
export function judgeCommand(command) {
  const { commands, complex } = splitCommand(command)
  // There may be a check in a loop or a substitution, but its result is unknown.
  if (complex) return { check: MAY_CHECK.test(command), passTells: false, failTells: false }
  const judged = commands.map(({ words, next }) => ({ ...judgeSimple(words), next }))
  const last = judged.findLastIndex(({ check }) => check)
  const nothing = { check: last >= 0, passTells: false, failTells: false }
  if (last < 0) return nothing
  const at = judged[last]
  const before = judged[last - 1]?.next ?? ';'
  if (before === '||' || before === '|') return nothing
  const piped = judged.slice(0, last).some(({ pipefail }) => pipefail)
  const after = judged.slice(last)
  if (
    after.some(
      ({ next }, index) => !(next === '&&' || next === '' || (next === '|' && piped && index < after.length - 1)),
    )
  )
    return nothing
  const start = judged.slice(0, last).findLastIndex(({ next }) => next === ';' || next === '&') + 1
  const list = judged.slice(start)
  const others = list.every(({ check, harmless, program }) => check || harmless || PASSES_ON.has(program))
  const anded = judged.slice(start, last).every(({ next }) => next === '&&')
  return { check: true, passTells: at.passTells, failTells: at.failTells && others && anded }
}

function judgeSimple(words) {
  const [program = '', ...rest] = withoutWrappers(words)
  const found = { program, pipefail: words[0] === 'set' && words.includes('pipefail'), harmless: HARMLESS.has(program) }
  const script = /^(?:bash|sh|zsh|dash)$/.test(program)
    ? rest[rest.findIndex((word) => /^-\w*c$/.test(word)) + 1]
    : undefined
  if (script !== undefined && rest.some((word) => /^-\w*c$/.test(word))) return { ...found, ...judgeCommand(script) }
  const check = isCheck(program, rest)
  return { ...found, check, passTells: check, failTells: check }
}

function isCheck(program, rest) {
  if (rest.some((word) => TELLS.test(word))) return false
  const words = argumentsOf(rest)
  const [first = '', second = ''] = words
  if (SCRIPT_RUNNERS.has(program)) {
    const run = first === 'run' || first === 'run-script'
    if (!run && program === 'npm') return /^(?:t|test|tst)$/.test(first)
    if (!run && program === 'bun' && first === 'build') return true
    return isTarget(run ? second : first)
  }
  if (TARGET_RUNNERS.has(program)) {
    if (rest.includes('-n')) return false
    const targets = words.filter((word) => !word.includes('='))
    return targets.length === 0 ? program !== 'just' && program !== 'task' : targets.every(isTarget)
  }
  if (/^python[\d.]*$/.test(program)) {
    const module = rest[rest.indexOf('-m') + 1] ?? ''
    return (
      rest.includes('-m') &&
      (module === 'unittest' || (Object.hasOwn(TOOLS, module) && isCheck(module, rest.slice(rest.indexOf('-m') + 2))))
    )
  }
  if (program === 'node') return rest.includes('--test')
  if (program === 'prettier') return rest.includes('--check') || rest.includes('-c')
  if (program === 'tsc' && rest.includes('-w')) return false
  if (program === 'ruff' && first === 'format') return rest.includes('--check')
  if (!Object.hasOwn(TOOLS, program)) return false
  const what = TOOLS[program]
  return (
    what === true ||
    (/^(?:mvnw?|gradlew?|rake|sbt)$/.test(program) ? words.some((word) => what.test(word)) : what.test(first))
  )
}

function isTarget(name) {
  return TARGET.test(name) && !NO_CHECK.test(name)
}

/** Arguments that are neither options nor values of options. */
function argumentsOf(words) {
  const found = []
  for (let at = 0; at < words.length; at++) {
    if (words[at] === '--') break
    if (!words[at].startsWith('-')) found.push(words[at])
    else if (VALUED.test(words[at])) at++
  }
  return found
}

/** Commands that run another command, by name: the sub-commands that precede it; empty: it follows immediately. */
const WRAPPERS = {
  time: [],
  nice: [],
  nohup: [],
  exec: [],
  command: [],
  sudo: [],
  env: [],
  'cross-env': [],
  'xvfb-run': [],
  timeout: [],
  npx: [],
  bunx: [],
  pnpx: [],
  pnpm: ['exec', 'dlx'],
  npm: ['exec', 'x'],
  yarn: ['exec', 'dlx'],
  bun: ['x'],
  uv: ['run'],
  poetry: ['run'],
  pipenv: ['run'],
  pdm: ['run'],
  hatch: ['run'],
  rye: ['run'],
  bundle: ['exec'],
  docker: ['run', 'exec'],
  podman: ['run', 'exec'],
  'docker-compose': ['run', 'exec'],
}
/** For these, the first argument is not the command: a duration, a container. */
const NAMES_SOMETHING = new Set(['timeout', 'docker', 'podman', 'docker-compose'])

/** `timeout 60 npx vitest` is vitest. Returns the program without its folder. */
function withoutWrappers(words) {
  let rest = words
  for (;;) {
    while (/^\w+=/.test(rest[0] ?? '')) rest = rest.slice(1)
    const program = (rest[0] ?? '').split('/').at(-1)
    const verbs = Object.hasOwn(WRAPPERS, program) ? WRAPPERS[program] : undefined
    let inner = rest.slice(1)
    if (program === 'docker' && inner[0] === 'compose') inner = inner.slice(1)
    const verb = verbs && verbs.length > 0 ? inner.findIndex((word) => verbs.includes(word)) : -1
    if (!verbs || (verbs.length > 0 && (verb < 0 || inner.slice(0, verb).some((word) => !word.startsWith('-')))))
      return [program, ...rest.slice(1)]
    inner = withoutOptions(inner.slice(verb + 1))
    if (NAMES_SOMETHING.has(program)) inner = inner.slice(1)
    if (inner.length === 0) return [program, ...rest.slice(1)]
    rest = inner
  }
}

function withoutOptions(words) {
  let at = 0
  while (words[at]?.startsWith('-')) at += words[at] !== '--' && VALUED.test(words[at]) ? 2 : 1
  return words.slice(at)
}
