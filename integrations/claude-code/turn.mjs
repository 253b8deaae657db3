/**
 * What a Claude Code transcript says about one turn: the answer, the model, the tokens, and whether the checks that were run
 * passed. Pure functions.
 * @module
 */

/** Commands whose exit code says whether the work is right: tests, builds, type checks and linters of common tools. */
const CHECK = new RegExp(
  [
    String.raw`(?:npm|pnpm|yarn|bun) (?:run )?(?:t|test|lint|typecheck|type-check|check|build)\b[\w:.-]*`,
    String.raw`(?:vitest|jest|mocha|ava|playwright test|cypress run|tsc|eslint|biome|deno test|node --test)\b`,
    String.raw`(?:pytest|tox|nox|mypy|pyright|ruff|python3? -m (?:pytest|unittest))\b`,
    String.raw`cargo (?:test|nextest|build|check|clippy)\b`,
    String.raw`go (?:test|build|vet)\b`,
    String.raw`(?:mvn|mvnw|gradle|gradlew|sbt|dotnet (?:test|build)|swift (?:test|build)|mix test|rspec|phpunit|ctest|make)\b`,
  ].join('|'),
)

/** What follows a check in a command and hides its exit code: a pipe, a further command, an alternative. */
const HIDES_EXIT_CODE = /\||;|\n|&\s*$/

/**
 * @typedef {object} Turn
 * @property {string} answer the last text that the model wrote; empty when it wrote none
 * @property {string | null} model
 * @property {number} tokens tokens sent and written for the first time: input, written to the cache, output. What was read back
 *   from the cache is not counted, since every step of a turn reads the same again.
 * @property {number} milliseconds from the first to the last entry
 * @property {'success' | 'failure' | null} checks how the last check ended; null: none was run, or its exit code can't be known
 */

/**
 * Reads one turn out of a transcript (JSON Lines; lines that can't be read are passed over).
 * @param {string} transcript
 * @param {string | undefined} promptId which turn; undefined: all that follows the last prompt that a person wrote
 * @returns {Turn}
 */
export function readTurn(transcript, promptId) {
  const entries = entriesOfTurn(parseLines(transcript), promptId)
  const messages = new Map()
  let answer = ''
  for (const entry of entries) {
    if (entry.type !== 'assistant' || typeof entry.message !== 'object' || entry.message === null) continue
    // One message of the API stands in several lines, one for each block; the last has the final usage.
    messages.set(entry.message.id ?? entry.uuid, entry.message)
    const text = textOf(entry.message.content)
    if (text !== '') answer = text
  }
  const used = [...messages.values()]
  const times = entries.map(({ timestamp }) => Date.parse(timestamp)).filter(Number.isFinite)
  return {
    answer,
    model:
      used.map(({ model }) => model).findLast((model) => typeof model === 'string' && !model.startsWith('<')) ?? null,
    tokens: used.reduce((sum, { usage }) => sum + tokensOf(usage), 0),
    milliseconds: times.length > 1 ? Math.max(...times) - Math.min(...times) : 0,
    checks: outcomeOfChecks(entries),
  }
}

/**
 * Whether a shell command is a check, and whether its success can be told from its exit code.
 * @param {string} command
 * @returns {{ check: boolean, exitCodeTells: boolean }}
 */
export function judgeCommand(command) {
  const match = CHECK.exec(command)
  if (!match) return { check: false, exitCodeTells: false }
  const before = command.slice(0, match.index)
  // `grep "npm test"` and `echo make` run something else.
  if (
    !/(?:^|&&|;|\||\n|\bnpx|\bexec|\brun|\btime|\w+=\S+)\s*(?:\S*\/)?(?:npx |uv run |poetry run |bundle exec )?$/.test(
      before,
    )
  ) {
    return { check: false, exitCodeTells: false }
  }
  return { check: true, exitCodeTells: !HIDES_EXIT_CODE.test(command.slice(match.index).trimEnd()) }
}

/**
 * What a person's next message says about the answer before it: only short, plain verdicts in English count.
 * @param {string} prompt
 * @returns {'success' | 'failure' | null}
 */
export function outcomeOfReply(prompt) {
  const opening =
    prompt
      .trim()
      .toLowerCase()
      .split(/[\n.!?]/)[0]
      ?.trim() ?? ''
  if (opening === '' || opening.length > 80) return null
  const turned = /\b(?:but|however|except|although|though|almost|still|not yet)\b/.test(
    prompt.toLowerCase().slice(0, 300),
  )
  if (
    /^(?:no,? )?(?:that|this|it) (?:did ?n['o]?t|does ?n['o]?t|doesnt|didnt|does not|did not) (?:work|help|fix)/.test(
      opening,
    )
  )
    return 'failure'
  if (/^(?:it |that |this )?still (?:fails?|failing|broken|breaks|does ?n['o]?t|not working|wrong|crash)/.test(opening))
    return 'failure'
  if (/^(?:no,? )?(?:that|this|it)(?:'s| is) (?:wrong|incorrect|not right|not what i)/.test(opening)) return 'failure'
  if (turned) return null
  if (
    /^(?:perfect|great|excellent|awesome|lgtm|(?:great,? |perfect,? |ok,? |yes,? )?(?:that|it|this) (?:works|worked|fixed it|did it)|works(?: now| great)?$)/.test(
      opening,
    )
  )
    return 'success'
  return null
}

function parseLines(transcript) {
  const entries = []
  for (const line of transcript.split('\n')) {
    if (line.trim() === '') continue
    try {
      const entry = JSON.parse(line)
      if (typeof entry === 'object' && entry !== null && entry.isSidechain !== true) entries.push(entry)
    } catch {
      // The last line may be half written.
    }
  }
  return entries
}

function entriesOfTurn(entries, promptId) {
  const isPrompt = (entry) => entry.type === 'user' && !toolResults(entry).length && entry.isMeta !== true
  const named =
    promptId === undefined ? -1 : entries.findIndex((entry) => isPrompt(entry) && entry.promptId === promptId)
  const start = named >= 0 ? named : entries.findLastIndex(isPrompt)
  if (start < 0) return []
  const after = entries.slice(start + 1)
  const next = after.findIndex((entry) => isPrompt(entry) && entry.promptId !== entries[start].promptId)
  return [entries[start], ...(next >= 0 ? after.slice(0, next) : after)]
}

function textOf(content) {
  if (typeof content === 'string') return content.trim()
  if (!Array.isArray(content)) return ''
  return content
    .filter((block) => block?.type === 'text' && typeof block.text === 'string')
    .map(({ text }) => text)
    .join('\n\n')
    .trim()
}

function tokensOf(usage) {
  const count = (value) => (Number.isFinite(value) && value > 0 ? value : 0)
  return count(usage?.input_tokens) + count(usage?.cache_creation_input_tokens) + count(usage?.output_tokens)
}

function toolResults(entry) {
  const content = entry.message?.content
  return Array.isArray(content) ? content.filter((block) => block?.type === 'tool_result') : []
}

function outcomeOfChecks(entries) {
  const commands = new Map()
  let outcome = null
  for (const entry of entries) {
    for (const block of Array.isArray(entry.message?.content) ? entry.message.content : []) {
      if (block?.type === 'tool_use' && block.name === 'Bash' && typeof block.input?.command === 'string') {
        commands.set(block.id, block.input)
      }
    }
    for (const result of toolResults(entry)) {
      const input = commands.get(result.tool_use_id)
      const { check, exitCodeTells } = input ? judgeCommand(input.command) : { check: false, exitCodeTells: false }
      if (!check || input.run_in_background === true || entry.toolUseResult?.interrupted === true) continue
      if (result.is_error === true) outcome = 'failure'
      else outcome = exitCodeTells ? 'success' : null
    }
  }
  return outcome
}
