/**
 * The file formats of fine-tuning datasets, each as published by the trainers that read it. Pure functions.
 * @module
 */
import type { Example, ExampleKind } from '../database/queries/exports.ts'

/** One object per line, UTF-8, `\n` after every line (https://jsonlines.org). */
export const DATASET_FORMATS = ['openai-chat', 'sharegpt', 'alpaca', 'dpo', 'kto'] as const

export type DatasetFormat = (typeof DATASET_FORMATS)[number]

export const EXAMPLE_KIND: Readonly<Record<DatasetFormat, ExampleKind>> = {
  'openai-chat': 'answer',
  sharegpt: 'answer',
  alpaca: 'answer',
  dpo: 'pair',
  kto: 'verdict',
}

const message = (role: 'system' | 'user' | 'assistant', content: string) => ({ role, content })

/**
 * One line of a dataset, without its line end.
 * - `openai-chat`: `{"messages":[…]}` as in OpenAI's fine-tuning guide; TRL's SFTTrainer uses the same format
 *   ("conversational language modeling").
 * - `sharegpt`: `{"conversations":[{"from","value"}]}` with the roles system, human and gpt, as used by Axolotl and
 *   Unsloth.
 * - `alpaca`: `{"instruction","input","output"}` of Stanford Alpaca; it has no field for the system prompt.
 * - `dpo`: TRL's explicit-prompt conversational preference format, `{"prompt","chosen","rejected"}`.
 * - `kto`: TRL's conversational unpaired preference format, `{"prompt","completion","label"}`.
 */
export function formatExample(format: DatasetFormat, example: Example, systemPrompt: string): string {
  const prompt = [message('system', systemPrompt), message('user', example.prompt)]
  switch (format) {
    case 'openai-chat':
      return JSON.stringify({ messages: [...prompt, message('assistant', example.answer)] })
    case 'sharegpt':
      return JSON.stringify({
        conversations: [
          { from: 'system', value: systemPrompt },
          { from: 'human', value: example.prompt },
          { from: 'gpt', value: example.answer },
        ],
      })
    case 'alpaca':
      return JSON.stringify({ instruction: example.prompt, input: '', output: example.answer })
    case 'dpo':
      return JSON.stringify({
        prompt,
        chosen: [message('assistant', example.answer)],
        rejected: [message('assistant', example.rejected ?? '')],
      })
    case 'kto':
      return JSON.stringify({ prompt, completion: [message('assistant', example.answer)], label: example.good })
  }
}
