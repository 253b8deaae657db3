/**
 * Real texts available in every checkout: the sources and documents of installed npm packages.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { walk } from '../../cli/ingest/walk.ts'
import { seeded } from '../../cli/shared/random.ts'

/** Target size of one item's text, in characters. */
const TARGET = 700

export interface BenchItem {
  readonly key: string
  readonly fields: { file_path: string; code_snippet: string; language: string; start_line: number }
}

/**
 * Distinct texts of about 700 characters, in a fixed order.
 * @throws Error if the installed packages contain fewer than `count`
 */
export async function packageTexts(count: number): Promise<BenchItem[]> {
  const root = join(import.meta.dirname, '../../node_modules')
  const { files } = await walk(root, {
    include: ['*.js', '*.mjs', '*.cjs', '*.ts', '*.mts', '*.cts', '*.md', '*.css', '*.json'],
    exclude: [],
    maxFileSize: 4 * 1024 * 1024,
  })
  const items: BenchItem[] = []
  const seen = new Set<string>()
  for (const { path, absolute } of files) {
    const lines = (await readFile(absolute, 'utf8')).split('\n')
    let piece: string[] = []
    let size = 0
    let from = 1
    for (const [index, line] of lines.entries()) {
      if (line.length > 2000) continue
      piece.push(line)
      size += line.length + 1
      if (size < TARGET && index < lines.length - 1) continue
      const text = piece.join('\n').replaceAll('\0', ' ').toWellFormed()
      if (text.trim().length > 80 && !seen.has(text)) {
        seen.add(text)
        const language = path.slice(path.lastIndexOf('.') + 1)
        items.push({
          key: `${path}#${from}`,
          fields: { file_path: path, code_snippet: text, language, start_line: from },
        })
        if (items.length === count) return items
      }
      piece = []
      size = 0
      from = index + 2
    }
  }
  throw new Error(`The installed packages hold only ${items.length} texts, not ${count}.`)
}

/** Questions of three to six words from a random item, from a fixed seed. */
export function questions(items: readonly BenchItem[], count: number): string[] {
  const random = seeded(7)
  return Array.from({ length: count }, () => {
    const text = items[Math.floor(random() * items.length)]?.fields.code_snippet ?? ''
    const words = [...new Set(text.match(/[A-Za-z][A-Za-z_]{3,20}/g) ?? ['function'])]
    const wanted = 3 + Math.floor(random() * 4)
    return Array.from({ length: wanted }, () => words[Math.floor(random() * words.length)]).join(' ')
  })
}
