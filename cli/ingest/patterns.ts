/**
 * What a person says is to be read: `--include`, `--exclude` and `.hybridignore` files, all in .gitignore form.
 * @module
 */
import createIgnore, { type Ignore } from 'ignore'

/** What the patterns say about a file; undefined: nothing. */
export interface Choice {
  /** Left out, or read although it would be left out because of what it is. */
  kind: 'excluded' | 'wanted'
  /** The pattern names the file itself, without a wildcard. */
  exact: boolean
}

/** Patterns and the directory that they are relative to, with `/` at its end; empty for the top. */
export interface PatternFile {
  base: string
  text: string
}

/** File systems that tell case apart are matched so, as git does. */
const ignorecase = process.platform === 'win32' || process.platform === 'darwin'

/** Rules in .gitignore form. */
export function rules(patterns: string | readonly string[]): Ignore {
  return createIgnore({ ignorecase, allowRelativePaths: false }).add(patterns as string | string[])
}

/** The name of the file in which a code base says what is read of it. */
export const PATTERN_FILE = '.hybridignore'

/** Whether one of the patterns is the path or name of the file itself. */
function named(patterns: readonly string[], path: string): boolean {
  return patterns.some((pattern) => {
    const plain = pattern.trim().replace(/^!?\/?/, '')
    return !/[*?[\]]/.test(plain) && (path === plain || path.endsWith(`/${plain}`))
  })
}

/** A file's path and those of the directories above it, outermost first. */
function* levels(path: string): Generator<string> {
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) yield path.slice(0, slash + 1)
  yield path
}

/** The last rule that speaks of a path or of a directory above it. */
function decide(ignore: Ignore, path: string): Choice['kind'] | undefined {
  let choice: Choice['kind'] | undefined
  for (const level of levels(path)) {
    const { ignored, unignored } = ignore.test(level)
    if (ignored || unignored) choice = ignored ? 'excluded' : 'wanted'
  }
  return choice
}

/**
 * A function that says what the patterns say of a file.
 * @param options.include - only what matches is read, also what would be left out because of what it is
 * @param options.exclude - left out, whatever else says so
 * @param files - the code base's own pattern files
 * @returns (path) → 'elsewhere' when an include pattern is given and does not match
 */
export function patternsOf(
  options: { include: readonly string[]; exclude: readonly string[] },
  files: readonly PatternFile[],
): (path: string) => Choice | 'elsewhere' | undefined {
  const include = options.include.length > 0 ? rules(options.include) : undefined
  const exclude = options.exclude.length > 0 ? rules(options.exclude) : undefined
  const own = [...files]
    .sort((a, b) => a.base.length - b.base.length)
    .map(({ base, text }) => ({
      base,
      ignore: rules(text),
      negations: text.split('\n').filter((line) => line.startsWith('!')),
    }))
  return (path) => {
    if (exclude && decide(exclude, path) === 'excluded') return { kind: 'excluded', exact: false }
    if (include) {
      return decide(include, path) === 'excluded'
        ? { kind: 'wanted', exact: named(options.include, path) }
        : 'elsewhere'
    }
    let choice: Choice | undefined
    for (const { base, ignore, negations } of own) {
      const inside = path.slice(base.length)
      const kind = path.startsWith(base) ? decide(ignore, inside) : undefined
      if (kind) choice = { kind, exact: kind === 'wanted' && named(negations, inside) }
    }
    return choice
  }
}
