/**
 * Sorts the questions from a repository's history by the time of the commit or pull request that answered each.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../../cli/shared/args.ts'
import type { CodeQuestion, CodeRepository } from './code-data.ts'

/** Issue titles duplicate the first lines of issues, which are used completely. */
const ASKED_ANOTHER_WAY = 'issue_title'
const COMMIT_DIGITS = 12

/**
 * The questions answered by a commit or a pull request, earliest first.
 * @param mirrors folder of bare git directories, `<owner>+<name>/repo` or `<owner>+<name>`; not needed for a set with
 *   only commits, which is already in order
 * @throws UsageError if the order can't be determined without a mirror, or the mirror doesn't contain a question's
 *   answer
 */
export function historyOf(
  { name, repository, questions }: CodeRepository,
  mirrors: string | undefined,
): CodeQuestion[] {
  const history = questions.filter(({ answeredBy, kind }) => answeredBy !== null && kind !== ASKED_ANOTHER_WAY)
  if (new Set(history.map(({ kind }) => kind)).size <= 1 && history.every(({ answeredBy }) => isCommit(answeredBy)))
    return history
  if (!mirrors) throw new UsageError(`the order of ${name}'s questions is told by its history: --mirrors <folder>`)
  const folder = join(mirrors, (repository ?? name).replace('/', '+'))
  const git = existsSync(join(folder, 'repo')) ? join(folder, 'repo') : folder
  const { status, stdout, stderr } = spawnSync('git', [`--git-dir=${git}`, 'log', '--format=%H %ct %s'], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  })
  if (status !== 0) throw new UsageError(`git log of ${git} failed: ${stderr.trim()}`)
  return inTimeOrder(history, stdout)
}

function isCommit(answeredBy: CodeQuestion['answeredBy']): boolean {
  return answeredBy !== null && 'commit' in answeredBy
}

/**
 * Questions by the time of their answers; questions with the same answer keep the given order. A pull request that
 * isn't in the log was merged differently, and gets the time of the pull request with the next lower number.
 * @param log of `git log --format=%H %ct %s`
 * @throws UsageError naming the questions whose commit isn't in the log
 */
export function inTimeOrder(questions: readonly CodeQuestion[], log: string): CodeQuestion[] {
  const commits = new Map<string, number>()
  const pullRequests = new Map<number, number>()
  for (const line of log.split('\n')) {
    const [, id = '', seconds = '', subject = ''] = /^(\w+) (\d+) (.*)$/.exec(line) ?? []
    commits.set(id.slice(0, COMMIT_DIGITS), Number(seconds))
    const number = /^Merge pull request #(\d+) |\(#(\d+)\)$/.exec(subject)
    if (number) pullRequests.set(Number(number[1] ?? number[2]), Number(seconds))
  }
  const merged = [...pullRequests].sort(([a], [b]) => a - b)
  const timeOf = ({ answeredBy }: CodeQuestion) =>
    answeredBy === null
      ? undefined
      : 'commit' in answeredBy
        ? commits.get(answeredBy.commit.slice(0, COMMIT_DIGITS))
        : merged.findLast(([number]) => number <= answeredBy.pullRequest)?.[1]
  const unknown = questions.filter((question) => timeOf(question) === undefined)
  if (unknown.length > 0)
    throw new UsageError(`the history doesn't hold the commits of ${unknown.map(({ id }) => id).join(', ')}`)
  return [...questions].sort((a, b) => (timeOf(a) ?? 0) - (timeOf(b) ?? 0))
}
