/**
 * Asks the user to confirm something that can't be undone.
 * @module
 */
import { createInterface } from 'node:readline/promises'

/** The user's answer; null: there is no terminal to ask. */
export async function confirm(question: string): Promise<boolean | null> {
  if (!process.stdin.isTTY) return null
  const ask = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await ask.question(`${question} [y/N] `)
  ask.close()
  return /^y(?:es)?$/i.test(answer.trim())
}
