/**
 * The agents' questions, answers and knowledge: few topics, so that questions recur and knowledge is found.
 * @module
 */
import type { Random } from '../../cli/shared/random.ts'

const TOPICS = [
  ['nginx proxy', 'upstream timeout', 'buffer'],
  ['retry policy', 'exponential backoff', 'jitter'],
  ['database migration', 'schema version', 'rollback'],
  ['session cookie', 'signature', 'expiry'],
  ['queue consumer', 'dead letter', 'visibility timeout'],
  ['vector index', 'cosine distance', 'quantization'],
  ['log parser', 'multiline pattern', 'timestamp'],
  ['cache header', 'validator', 'stale response'],
] as const
const QUESTIONS = [
  'How do I configure the',
  'Why does the',
  'What is the best way to test the',
  'Explain the',
  'Fix the',
]
const STEPS = [
  'Open the configuration.',
  'Raise the limit.',
  'Restart the service.',
  'Watch the metric.',
  'Write a test.',
]

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T
}

/** A question about one of the topics. */
export function questionOf(random: Random): string {
  const [subject, aspect, other] = pick(random, TOPICS)
  return `${pick(random, QUESTIONS)} ${subject} when the ${random() < 0.5 ? aspect : other} is wrong?`
}

/** An answer: a sentence, a list of steps, or code. */
export function responseOf(random: Random): string {
  const [subject, aspect] = pick(random, TOPICS)
  const form = random()
  if (form < 0.3) return `It depends on the ${aspect} of the ${subject}; look at attempt ${Math.floor(random() * 1e6)}.`
  const steps = STEPS.filter(() => random() < 0.7).map((step, i) => `${i + 1}. ${step}`)
  if (form < 0.6) return `For the ${subject}:\n${steps.join('\n')}\nThen check the ${aspect}.`
  return `Change the ${aspect}:\n\`\`\`ts\n${codeOf(random)}\n\`\`\`\n${steps.join('\n')}`
}

/** A piece of code about one of the topics. */
export function codeOf(random: Random): string {
  const [subject, aspect, other] = pick(random, TOPICS)
  const name = (text: string) => text.replace(/ (\w)/g, (_, letter: string) => letter.toUpperCase())
  return `// ${subject}: sets the ${aspect} and the ${other}
export function ${name(subject)}(${name(aspect)}: number) {
  const ${name(other)} = ${Math.floor(random() * 1e6)}
  return ${name(aspect)} + ${name(other)}
}`
}
