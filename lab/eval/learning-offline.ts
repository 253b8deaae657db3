/**
 * `npm run --prefix lab eval:learning-offline -- --data <set> [--sources <folder>]`: measures the effect of the learnt
 * ranking on unseen questions, with the product's search, packing and training in one process.
 * @module
 */
import { parseArguments, reportUsage, UsageError } from '../../cli/shared/args.ts'
import { seeded } from '../../cli/shared/random.ts'
import type { StoredItem } from '../../src/knowledge/stores/store.ts'
import { logOdds } from '../../src/ranking/calibration.ts'
import { type RankedQuery, trainRanking, type Vote } from '../../src/ranking/learnt/train.ts'
import { learntShifts } from '../../src/retrieval/learnt-shifts.ts'
import { packPassages } from '../../src/retrieval/packing.ts'
import { rankingCandidates, searchKnowledge, termsOf } from '../../src/retrieval/search.ts'
import { analyseQuery } from '../../src/text/query-analysis.ts'
import { tokenCounter } from '../../src/text/token-counter.ts'
import { pathGiven } from '../paths.ts'
import { ENCODERS, type EncoderName } from '../training/code-ranking/encoders.ts'
import { beirSet, codeSets, isBeir, type LearningSet, type Question } from './learning-sets.ts'
import { CALLERS, HOSTILE_EVERY, outcomeOf, shuffled, splitQueries } from './learning-stream.ts'
import { type MemoryServices, openMemory } from './memory-store.ts'
import { bootstrap95, mean } from './metrics.ts'

const HELP = `Usage: npm run --prefix lab eval:learning-offline -- --data <set> [--sources <folder>] [options]

Asks half of the questions, reports outcomes of what is shown (20 % wrong; two of twenty callers always say the opposite), trains the
ranking on them, and compares nDCG@10 on the other half with and without it. Questions of a code base are split in time order, others at
random. Search, packing and training are the product's own, in one process; credit of items is left out. The
stream of outcomes does not change what is shown.

Options
  --data SET        a set of code questions, or a BEIR data set
  --sources FOLDER  sources of a set of code questions, one folder a repository
  --mirrors FOLDER  bare git directories <owner>+<name>, which tell the order of commits and issues; not needed for commits alone
  --only NAME       only this repository; may be repeated
  --outcomes N      outcomes reported, 2000 when left out
  --seeds N         streams of outcomes (and splits of a BEIR set), 3 when left out
  --embedder WHICH  words, the word table, or sentences, the sentence embedder; words when left out
  --each            print each question whose nDCG@10 changes
  --json            print one object a set
  -h, --help        print this
`

/** Share of honest success reports that name a different item than the one that helped. */
const MISNAMED = 0.2
/** Measured results, passages shown to an answer, and the token budget: the product's defaults. */
const LISTED = { code: 50, other: 10 } as const
const SHOWN = 10
const BUDGET = 2_000
/** Number of questions that a training reads. */
const MAX_QUERIES = 400

export interface OfflineReport {
  readonly set: string
  readonly asked: number
  readonly unseen: number
  readonly off: number
  /** On minus off: the mean over streams, with a paired bootstrap interval over questions. */
  readonly difference: { readonly ndcg: number; readonly ci95: [number, number]; readonly relative: number }
  /** The same without hostile callers among the twenty. */
  readonly without_hostile: { readonly relative: number }
  /** How far hostile callers shift a candidate, in log-odds. */
  readonly moved_by_hostile: { readonly mean: number; readonly p99: number; readonly most: number }
  readonly accepted: number
  readonly seeds: number
  /** Questions whose nDCG@10 changes, largest change first: the mean change over streams. */
  readonly changed: readonly { readonly question: string; readonly off: number; readonly change: number }[]
}

/** Runs the command. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, {
      data: { type: 'string' },
      sources: { type: 'string' },
      mirrors: { type: 'string' },
      only: { type: 'string', multiple: true },
      embedder: { type: 'string', default: 'words' },
      each: { type: 'boolean' },
      outcomes: { type: 'string', default: '2000' },
      seeds: { type: 'string', default: '3' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    if (!values.data) throw new UsageError('name a set: --data <set>')
    const [outcomes, seeds] = [Number(values.outcomes), Number(values.seeds)]
    if (!Number.isInteger(outcomes) || outcomes < 1) throw new UsageError('--outcomes must be a whole number from 1')
    if (!Number.isInteger(seeds) || seeds < 1) throw new UsageError('--seeds must be a whole number from 1')
    const encoder = ENCODERS.find((name) => name === values.embedder)
    if (!encoder) throw new UsageError('--embedder must be words or sentences')
    const data = pathGiven(values.data)
    const sets = (await isBeir(data)) ? [beirSet(data)] : codeSets(data, values.sources, values.only, values.mirrors)
    for await (const set of sets) {
      const report = await measureLearning(set, encoder, outcomes, seeds)
      process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : format(report, values.each === true))
    }
    return 0
  } catch (error) {
    return reportUsage(error, '--prefix lab eval:learning-offline --')
  }
}

/** The search result of an earlier question. */
interface Asked {
  readonly question: Question
  readonly shown: readonly StoredItem[]
  readonly found: Awaited<ReturnType<typeof rankingCandidates>>
}

async function measureLearning(
  set: LearningSet,
  encoder: EncoderName,
  outcomes: number,
  seeds: number,
): Promise<OfflineReport> {
  const services = await openMemory(set.collection, set.items, encoder)
  const asked = new Map<Question, Asked>()
  const measured = new Map<Question, Awaited<ReturnType<typeof listed>>>()
  const differences = new Map<Question, number[]>()
  const honestRelative: number[] = []
  const relative: number[] = []
  const moves: number[] = []
  let accepted = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const random = seeded(seed)
    const half = Math.floor(set.questions.length / 2)
    const { training, unseen } = set.ordered
      ? { training: set.questions.slice(0, half), unseen: set.questions.slice(half) }
      : splitQueries(set.questions, random)
    for (const question of training) if (!asked.has(question)) asked.set(question, await ask(services, set, question))
    for (const question of unseen) {
      if (!measured.has(question)) measured.set(question, await listed(services, set, question))
    }
    const taught = training.flatMap((question) => asked.get(question) ?? [])
    const models = [true, false].map((hostile) =>
      trainRanking(votesOn(taught, outcomes, seed, hostile).slice(0, MAX_QUERIES), services.embedder.space.name),
    )
    if (models[0]?.accepted) accepted++
    const [gains, honest] = models.map(() => [] as number[])
    let off = 0
    for (const question of unseen) {
      const list = measured.get(question)
      if (!list) continue
      const [shifts = [], without = []] = models.map(({ weights, needs }) =>
        learntShifts(
          list.answer,
          { version: 1, weights, needs },
          { vector: list.vector, space: services.embedder.space.name },
        ),
      )
      list.answer.candidates.forEach((_, i) => {
        moves.push(Math.abs((shifts[i] ?? 0) - (without[i] ?? 0)))
      })
      off += list.off
      const gain = list.ranked(shifts) - list.off
      gains?.push(gain)
      honest?.push(list.ranked(without) - list.off)
      differences.set(question, [...(differences.get(question) ?? []), gain])
    }
    relative.push((mean(gains ?? []) * unseen.length) / Math.max(off, Number.EPSILON))
    honestRelative.push((mean(honest ?? []) * unseen.length) / Math.max(off, Number.EPSILON))
  }
  await services.close()
  const byQuestion = [...differences.values()].map(mean)
  const changed = [...differences]
    .map(([question, changes]) => ({
      question: question.text.split('\n', 1)[0] ?? '',
      off: measured.get(question)?.off ?? 0,
      change: mean(changes),
    }))
    .filter(({ change }) => change !== 0)
    .sort((a, b) => Math.abs(b.change) - Math.abs(a.change))
  moves.sort((a, b) => a - b)
  const offs = [...measured.values()].map(({ off }) => off)
  return {
    set: set.name,
    asked: asked.size,
    unseen: measured.size,
    off: mean(offs),
    difference: { ndcg: mean(byQuestion), ci95: bootstrap95(byQuestion), relative: mean(relative) },
    without_hostile: { relative: mean(honestRelative) },
    moved_by_hostile: {
      mean: mean(moves),
      p99: moves[Math.floor(0.99 * moves.length)] ?? 0,
      most: moves.at(-1) ?? 0,
    },
    accepted,
    seeds,
    changed,
  }
}

/** The items shown for an earlier question, and the training's data about it. */
async function ask(services: MemoryServices, { collection }: LearningSet, question: Question): Promise<Asked> {
  const { ranked, termWeights } = await searchKnowledge(services, {
    project: 'offline',
    query: question.text,
    collections: [collection],
    mode: 'hybrid',
    purpose: 'prompt',
    limit: SHOWN,
    scoreThreshold: 0,
  })
  const { packed } = packPassages({
    items: ranked.slice(0, SHOWN),
    termWeights,
    termsOf,
    budget: BUDGET,
    countTokens: await tokenCounter(),
  })
  const found = await rankingCandidates(services, 'offline', question.text, [collection])
  return { question, shown: packed.map(({ item }) => item), found }
}

/** The result list of an unseen question: nDCG@10 without and with shifts of its candidates. */
async function listed(services: MemoryServices, { collection }: LearningSet, question: Question) {
  const limit = collection === 'codebase-context' ? LISTED.code : LISTED.other
  const { ranked } = await searchKnowledge(services, {
    project: 'offline',
    query: question.text,
    collections: [collection],
    mode: 'hybrid',
    limit,
    scoreThreshold: 0,
  })
  const { searchText } = analyseQuery(question.text)
  const text = searchText.trim() === '' ? question.text : searchText
  const [embedding] = await services.embedder.embed([text], 'query')
  const vector = embedding?.vector ?? null
  const request = {
    text,
    vector,
    space: services.embedder.space,
    keyword: true,
    depth: 100,
    limit: Math.max(30, limit),
  }
  const answer = services.search(request)
  const top = (items: readonly { readonly item: StoredItem }[]) => items.slice(0, limit).map(({ item }) => item)
  return {
    answer,
    vector,
    off: question.measure(top(ranked)),
    ranked(shifts: readonly number[]): number {
      const byId = new Map(answer.candidates.map(({ item }, i) => [item.id, shifts[i] ?? 0]))
      const scores = new Map(
        ranked.map((result) => [result, logOdds(result.probability) + (byId.get(result.item.id) ?? 0)]),
      )
      return question.measure(top([...ranked].sort((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0))))
    },
  }
}

/** A stream of outcomes, by question. */
function votesOn(asked: readonly Asked[], outcomes: number, seed: number, hostile: boolean): RankedQuery[] {
  const random = seeded(seed)
  const votes = new Map<Asked, { caller: string; named: readonly StoredItem[]; success: number }[]>()
  let waiting: Asked[] = []
  for (let done = 0; done < outcomes; done++) {
    if (waiting.length === 0) waiting = shuffled(asked, random)
    const next = waiting.pop()
    if (!next) break
    const caller = Math.floor(random() * CALLERS)
    const lies = caller % HOSTILE_EVERY === 0
    const { shown, question } = next
    const used = shown.filter((item) => question.helps(item))
    const outcome = outcomeOf(used.length > 0, lies, random())
    const honest = used.length > 0 && !lies && random() >= MISNAMED
    const guess = shown.slice(Math.floor(random() * shown.length)).slice(0, 1)
    if (lies && !hostile) continue
    const named = outcome === 'failure' ? shown : honest ? used : guess
    const vote = { caller: `caller-${caller}`, named, success: outcome === 'success' ? 1 : 0 }
    votes.set(next, [...(votes.get(next) ?? []), vote])
  }
  return asked.map((entry): RankedQuery => {
    const { question, shown, found } = entry
    const places = new Map(found.candidates.map(({ contextId }, i) => [contextId as string, i]))
    return {
      query: question.text,
      vector: found.vector,
      candidates: found.candidates,
      votes: (votes.get(entry) ?? []).flatMap(({ named, caller, success }): Vote[] => {
        const items = named
          .flatMap(({ collection, id }) => places.get(`${collection}/${id}`) ?? [])
          .sort((a, b) => a - b)
        return items.length > 0 ? [{ items, shown: shown.length, caller, success }] : []
      }),
    }
  })
}

function format(report: OfflineReport, each: boolean): string {
  const percent = (value: number) => `${value < 0 ? '' : '+'}${(100 * value).toFixed(1)} %`
  const { off, difference, without_hostile: honest, moved_by_hostile: moved } = report
  const [low, high] = difference.ci95
  return [
    `${report.set}: ${report.asked} questions asked, ${report.unseen} unseen; model used in ${report.accepted} of ${report.seeds} streams`,
    `  nDCG@10 off ${off.toFixed(4)}, on ${(off + difference.ndcg).toFixed(4)}: ${percent(difference.relative)}, ` +
      `difference ${difference.ndcg.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]`,
    `  without the two hostile callers of twenty ${percent(honest.relative)}; they move a candidate by ${moved.mean.toFixed(3)} in the mean, ` +
      `${moved.p99.toFixed(2)} at the 99th percentile, ${moved.most.toFixed(2)} at most (log-odds)`,
    ...(each ? report.changed : []).map(
      ({ question, off: before, change }) =>
        `    ${before.toFixed(3)} ${change < 0 ? '' : '+'}${change.toFixed(3)}  ${question.slice(0, 100)}`,
    ),
    '',
  ].join('\n')
}
