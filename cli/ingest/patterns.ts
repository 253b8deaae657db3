/**
 * The user's patterns for the files to read: `--include`, `--exclude` and `.hybridignore` files, all in .gitignore
 * format.
 * @module
 */
import createIgnore, { type Ignore } from 'ignore'

/** The result of the patterns for a file; undefined: no pattern matches. */
export interface Choice {
  /** Excluded, or read although it would be skipped by default. */
  kind: 'excluded' | 'wanted'
  /** Whether the pattern is the exact name of the file, without a wildcard. */
  exact: boolean
}

/** Patterns and the directory that they are relative to, with a trailing `/`; empty at the top. */
export interface PatternFile {
  base: string
  text: string
}

/** Case sensitivity follows the file system, as in git. */
const ignorecase = process.platform === 'win32' || process.platform === 'darwin'

/** Parses rules in .gitignore format. */
export function rules(patterns: string | readonly string[]): Ignore {
  return createIgnore({ ignorecase, allowRelativePaths: false }).add(patterns as string | string[])
}

/** The name of a code base's own pattern file. */
export const PATTERN_FILE = '.hybridignore'

/** Whether one of the patterns is the exact path or name of the file. */
function named(patterns: readonly string[], path: string): boolean {
  return patterns.some((pattern) => {
    const plain = pattern.trim().replace(/^!?\/?/, '')
    return !/[*?[\]]/.test(plain) && (path === plain || path.endsWith(`/${plain}`))
  })
}

/** A file's path and the paths of its parent directories, outermost first. */
function* levels(path: string): Generator<string> {
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) yield path.slice(0, slash + 1)
  yield path
}

/** The last rule that matches a path or one of its parent directories. */
function decide(ignore: Ignore, path: string): Choice['kind'] | undefined {
  let choice: Choice['kind'] | undefined
  for (const level of levels(path)) {
    const { ignored, unignored } = ignore.test(level)
    if (ignored || unignored) choice = ignored ? 'excluded' : 'wanted'
  }
  return choice
}

/**
 * A function that evaluates the patterns for a file.
 * @param options.include - only matching files are read, including files that would be skipped by default
 * @param options.exclude - excluded in any case
 * @param files - the code base's own pattern files
 * @returns (path) → 'elsewhere' if an include pattern is given and doesn't match
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
