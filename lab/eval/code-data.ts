/**
 * Sets of questions about code bases: one folder per repository, with `meta.json` and `queries.jsonl`, and answers
 * either in the questions (`relevant`, `secondary`) or in `gold.tsv`.
 * @module
 */
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../../cli/shared/args.ts'
import { readLines } from './beir.ts'

/** A location that answers a question: a file, or some of its lines. */
export interface Target {
  readonly path: string
  readonly start_line?: number
  readonly end_line?: number
}

export interface CodeQuestion {
  readonly id: string
  readonly text: string
  /** `category` or `kind` of the set. */
  readonly kind: string
  readonly targets: readonly Target[]
  /**
   * The change in the repository's history that answered it: a commit, or the number of a pull request; null: not a
   * question from the history.
   */
  readonly answeredBy: { readonly commit: string } | { readonly pullRequest: number } | null
}

export interface CodeRepository {
  readonly name: string
  /** `owner/name` on GitHub, if stated in the set. */
  readonly repository: string | null
  readonly questions: readonly CodeQuestion[]
  /** nDCG@10 published by the authors of the set, by system. */
  readonly published: Readonly<Record<string, number>>
}

export interface CodeSet {
  readonly repositories: readonly CodeRepository[]
  /** Questions that no repository of the set answers. */
  readonly unanswerable: readonly { readonly id: string; readonly kind: string; readonly text: string }[]
}

interface RawQuestion {
  readonly id: string
  readonly text?: string
  readonly query?: string
  readonly category?: string
  readonly kind?: string
  readonly relevant?: readonly Target[]
  readonly secondary?: readonly Target[]
  readonly fixed_in?: string
  readonly swe_bench?: string
}

/**
 * Reads a set.
 * @param folder of the set; its `unanswerable.jsonl` contains unanswerable questions
 * @param unanswerable another file with such questions
 * @throws Error naming the missing or malformed file
 */
export async function readCodeSet(folder: string, unanswerable?: string): Promise<CodeSet> {
  const names: string[] = []
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => {
    throw new UsageError(`${folder} is not a folder`)
  })
  for (const entry of entries) {
    if (entry.isDirectory() && (await exists(join(folder, entry.name, 'meta.json')))) names.push(entry.name)
  }
  if (names.length === 0) throw new UsageError(`${folder} has no folder with a meta.json`)
  const file = unanswerable ?? join(folder, 'unanswerable.jsonl')
  const foreign = (await exists(file)) ? await readLines<RawQuestion>(file) : []
  return {
    repositories: await Promise.all(names.sort().map((name) => readRepository(folder, name))),
    unanswerable: foreign.map(({ id, kind = '', query, text }) => ({ id, kind, text: query ?? text ?? '' })),
  }
}

async function readRepository(folder: string, name: string): Promise<CodeRepository> {
  const own = join(folder, name)
  const meta = JSON.parse(await readFile(join(own, 'meta.json'), 'utf8')) as {
    repository?: string
    published?: Record<string, number>
  }
  const gold = await readGold(join(own, 'gold.tsv'))
  const questions = (await readLines<RawQuestion>(join(own, 'queries.jsonl'))).map((raw): CodeQuestion => {
    const { id, text, query, category, kind, relevant = [], secondary = [] } = raw
    return {
      id,
      text: query ?? text ?? '',
      kind: kind ?? category ?? '',
      targets: [...relevant, ...secondary, ...(gold.get(id) ?? [])],
      answeredBy: answerOf(raw),
    }
  })
  return { name, repository: meta.repository ?? null, questions, published: meta.published ?? {} }
}

/** `swe_bench` is the name of an instance, which ends in the number of its pull request. */
function answerOf({ fixed_in: commit, swe_bench: instance }: RawQuestion): CodeQuestion['answeredBy'] {
  if (commit) return { commit }
  const pullRequest = Number(/-(\d+)$/.exec(instance ?? '')?.[1])
  return Number.isInteger(pullRequest) ? { pullRequest } : null
}

async function readGold(path: string): Promise<Map<string, Target[]>> {
  const gold = new Map<string, Target[]>()
  if (!(await exists(path))) return gold
  for (const line of (await readFile(path, 'utf8')).split('\n').slice(1)) {
    const [id, file] = line.trim().split('\t')
    if (id && file) gold.set(id, [...(gold.get(id) ?? []), { path: file }])
  }
  return gold
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
