/**
 * Recurring questions of a fictional team, and the text that a correct answer must contain. It can't be in any model's
 * training data.
 * @module
 */

/** One fact, with several phrasings of its question. */
export interface Fact {
  /** Phrasings that were asked and answered before. */
  readonly asked: readonly string[]
  readonly answer: string
  /** Text that a correct answer contains. */
  readonly key: string
  /** Phrasings that are asked later. */
  readonly later: readonly string[]
}

const SERVICES = [
  ['billing', 7431, 'Harbour', 'make rotate-billing'],
  ['search', 7512, 'Lantern', 'make reindex-search'],
  ['mailer', 7689, 'Pigeon', 'make drain-mailer'],
  ['uploads', 7740, 'Granite', 'make purge-uploads'],
] as const

export const FACTS: readonly Fact[] = SERVICES.flatMap(([name, port, team, command]) => [
  {
    asked: [
      `Which port does the ${name} service listen on?`,
      `What is the port of ${name}?`,
      `On which port do I reach ${name} locally?`,
    ],
    answer: `The ${name} service listens on port ${port}.`,
    key: String(port),
    later: [`I want to connect to the ${name} service. Which port is it?`, `Tell me the ${name} port.`],
  },
  {
    asked: [
      `Which team owns the ${name} service?`,
      `Who is responsible for ${name}?`,
      `Who reviews changes to ${name}?`,
    ],
    answer: `Team ${team} owns the ${name} service.`,
    key: team,
    later: [`Which team do I ask about the ${name} service?`, `Who are the owners of ${name}?`],
  },
  {
    asked: [
      `What do I run after a deployment of ${name}?`,
      `Which command follows a release of the ${name} service?`,
      `What has to be run once ${name} is deployed?`,
    ],
    answer: `Run \`${command}\` after a deployment of ${name}.`,
    key: command,
    later: [`I have just deployed ${name}. Which command comes next?`, `After releasing ${name}, what do I run?`],
  },
])
