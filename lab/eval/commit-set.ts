/**
 * `npm run --prefix lab commit-set -- --git <folder> --out <folder>`: creates a set of code questions from the history
 * of a repository.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { pathGiven } from '../paths.ts'

const HELP = `Usage: npm run --prefix lab commit-set -- --git <folder> --out <folder> [options]

Makes questions of the subjects of commits that changed one to three existing source files (no tests, documents or examples), in time
order. The files that a commit changed are the answer. The snapshot is the commit before the first of them. Subjects that name the
file or are about the release, the style or the documentation are left out. Writes <out>/set/<name> and <out>/src/<name>.

Options
  --git FOLDER     git directory of the repository
  --name NAME      name in the set; that of the folder when left out
  --out FOLDER     where the set and the sources are written
  --questions N    questions at most, the latest; 300 when left out
  -h, --help       print this
`

const SOURCE = /\.(?:py|go|jsx?|tsx?|rs|java|kt|rb|exs?|c|h|cc|cpp|hpp|swift|scala|sh|cs|php)$/
const NO_ANSWER =
  /(?:^|\/)(?:tests?|specs?|__tests__|docs?|docs_src|examples?|bench(?:es|marks?)?|fixtures|vendor|node_modules|e2e|website|scripts|tools)(?:\/|$)|[_.-](?:test|spec)s?\.|(?:^|\/)(?:test_|conftest\.|setup\.py$)|Tests?\.(?:java|kt)$|\.d\.ts$/
const NO_QUESTION =
  /^(?:merge|revert|bump|release|version|prepare|update changelog|upgrade|update dependenc|typo|lint|format|rustfmt|changelog|chore|ci|docs?|build|style|tests?)\b/i
/** Minimum number of words in a question. */
const MIN_WORDS = 4
const MAX_FILES = 3
/** The snapshot is moved back in steps of this many commits until there are enough questions. */
const STEP = 20

/** A commit with its changed files. `modified`: the file existed before. */
export interface Commit {
  readonly id: string
  readonly subject: string
  readonly files: readonly { readonly path: string; readonly modified: boolean }[]
}

export interface CommitQuestion {
  readonly commit: string
  readonly text: string
  readonly files: readonly string[]
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      git: { type: 'string' },
      name: { type: 'string' },
      out: { type: 'string' },
      questions: { type: 'string', default: '300' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.git || !values.out)
      throw new UsageError('name a repository and a folder: --git <folder> --out <folder>')
    const most = Number(values.questions)
    if (!Number.isInteger(most) || most < 2) throw new UsageError('--questions must be a whole number from 2')
    const git = pathGiven(values.git)
    const name = values.name ?? basename(git)
    const commits = parseLog(
      gitText(git, ['log', '--no-merges', '--format=%x01%H%x02%s', '--name-status', '-M', '--reverse', 'HEAD']),
    )
    const made = chooseQuestions(
      commits,
      most,
      (commit) => new Set(gitText(git, ['ls-tree', '-r', '--name-only', commit]).split('\n')),
    )
    if (!made) throw new UsageError(`${git} has too few commits that make a question`)
    writeSet(pathGiven(values.out), name, git, made)
    process.stdout.write(`${name}: ${made.questions.length} questions after ${made.snapshot.slice(0, 12)}\n`)
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab commit-set --')
  }
}

function gitText(git: string, command: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('git', [`--git-dir=${git}`, ...command], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  })
  if (status !== 0) throw new UsageError(`git ${command[0]} failed: ${stderr.trim()}`)
  return stdout
}

/** Parses the output of `git log --format=%x01%H%x02%s --name-status`, in the same order. */
export function parseLog(text: string): Commit[] {
  return text
    .split('\x01')
    .slice(1)
    .map((block): Commit => {
      const [head = '', ...lines] = block.split('\n')
      const [id = '', subject = ''] = head.split('\x02')
      const files = lines.flatMap((line) => {
        const [status, first, last] = line.split('\t')
        // The answer for a renamed file is its old name.
        return status && first
          ? [{ path: status.startsWith('A') ? (last ?? first) : first, modified: status === 'M' }]
          : []
      })
      return { id, subject, files }
    })
}

/** A subject without parts that don't describe the change: numbers, prefixes, references. */
export function questionOf(subject: string): string {
  return subject
    .replace(/\s*\(?#\d+\)?/g, '')
    .replace(/^(?::[\w+-]+:\s*)+/, '')
    .replace(/^[A-Z]+-\d+[:\s]+/, '')
    .replace(/^[a-z]+(?:\([^)]*\))?!?:\s*/, '')
    .replace(/^[^\w`"'(]+/, '')
    .replace(/\s*\b(?:Closes|Fixes|Refs?|PR)\b.*$/, '')
    .trim()
}

/** The question of a commit and the files that answer it; null if the commit is unsuitable. */
export function asQuestion({ id, subject, files }: Commit): CommitQuestion | null {
  const text = questionOf(subject)
  if (NO_QUESTION.test(subject) || NO_QUESTION.test(text) || text.split(/\s+/).length < MIN_WORDS) return null
  const own = files.filter(({ path }) => SOURCE.test(path) && !NO_ANSWER.test(path))
  if (own.length === 0 || own.length > MAX_FILES || own.some(({ modified }) => !modified)) return null
  return { commit: id, text, files: own.map(({ path }) => path) }
}

/**
 * The latest questions, and the commit before the first of them.
 * @param filesAt returns the files of a commit
 */
export function chooseQuestions(
  commits: readonly Commit[],
  most: number,
  filesAt: (commit: string) => ReadonlySet<string>,
): { snapshot: string; questions: CommitQuestion[] } | null {
  const usable = commits.flatMap((commit, at) => {
    const question = asQuestion(commit)
    return question ? [{ at, question }] : []
  })
  let best: { snapshot: string; questions: CommitQuestion[] } | null = null
  for (let back = Math.min(most, usable.length); back > 0; back += STEP) {
    const snapshot = commits[(usable.at(-Math.min(back, usable.length))?.at ?? 0) - 1]
    if (!snapshot) return best
    const questions = distinct(
      usable.slice(-back).map(({ question }) => question),
      filesAt(snapshot.id),
    )
    if (questions.length > (best?.questions.length ?? 0))
      best = { snapshot: snapshot.id, questions: questions.slice(0, most) }
    if (questions.length >= most || back >= usable.length) return best
  }
  return best
}

/** Distinct questions, answered by existing files that they don't name. */
function distinct(questions: readonly CommitQuestion[], existing: ReadonlySet<string>): CommitQuestion[] {
  const seen = new Set<string>()
  return questions.flatMap((question): CommitQuestion[] => {
    const files = question.files.filter((file) => existing.has(file))
    const text = question.text.toLowerCase()
    const named = files.some((file) =>
      text.includes(
        basename(file)
          .replace(/\.[^.]*$/, '')
          .toLowerCase(),
      ),
    )
    if (files.length === 0 || named || seen.has(text)) return []
    seen.add(text)
    return [{ ...question, files }]
  })
}

function writeSet(
  out: string,
  name: string,
  git: string,
  { snapshot, questions }: { snapshot: string; questions: readonly CommitQuestion[] },
): void {
  const [set, sources] = [join(out, 'set', name), join(out, 'src', name)]
  mkdirSync(set, { recursive: true })
  mkdirSync(sources, { recursive: true })
  const idOf = (i: number) => `${name}-commit-${String(i + 1).padStart(4, '0')}`
  writeFileSync(join(set, 'meta.json'), `${JSON.stringify({ repository: name, commit: snapshot }, null, 2)}\n`)
  writeFileSync(
    join(set, 'queries.jsonl'),
    questions
      .map(
        ({ text, commit }, i) =>
          `${JSON.stringify({ id: idOf(i), kind: 'commit', query: text, fixed_in: commit.slice(0, 12) })}\n`,
      )
      .join(''),
  )
  const gold = questions.flatMap(({ files }, i) => files.map((file) => `${idOf(i)}\t${file}\n`))
  writeFileSync(join(set, 'gold.tsv'), `query-id\tpath\n${gold.join('')}`)
  const archive = spawnSync('git', [`--git-dir=${git}`, 'archive', snapshot], { maxBuffer: 1 << 30 })
  const unpacked = spawnSync('tar', ['x', '-C', sources], { input: archive.stdout })
  if (archive.status !== 0 || unpacked.status !== 0)
    throw new UsageError(`the files of ${snapshot} could not be unpacked`)
}
