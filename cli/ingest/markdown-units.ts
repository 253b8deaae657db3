/**
 * Units of a Markdown file: sections nested by heading level, and the blocks inside each section.
 * @module
 */
import type { Nodes, RootContent } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { labelOf, lineStart, oneLine, type Unit } from './units.ts'

interface Heading {
  start: number
  depth: number
  title: string
}

/** The text of a node without markup. */
function plainText(node: Nodes): string {
  if ('value' in node && node.type !== 'html') return node.value
  return 'children' in node ? node.children.map(plainText).join('') : ''
}

/** Length of a YAML or TOML front matter block at the start of a file; 0 if there is none. */
function frontMatter(text: string): number {
  const match = /^(---|\+\+\+)[ \t]*\n[\s\S]*?\n\1[ \t]*(?:\n|$)/.exec(text)
  return match && match[0].length < 20_000 ? match[0].length : 0
}

/** A block of the file, and the offset to which its positions are relative. */
interface Block {
  node: RootContent
  shift: number
}

const startOf = (text: string, { node, shift }: Block): number =>
  lineStart(text, (node.position?.start.offset ?? 0) + shift)

/** Number of characters parsed at a time: the parser uses a thousand times as much memory. */
const SEGMENT = 60_000

/** The blocks of a text. A long text is parsed in parts that start with a heading. */
function blocksOf(text: string, from: number): Block[] {
  const blocks: Block[] = []
  let start = from
  const parse = (end: number): void => {
    for (const node of fromMarkdown(text.slice(start, end)).children) blocks.push({ node, shift: start })
    start = end
  }
  if (text.length - from > SEGMENT) {
    let fence: string | undefined
    for (let at = from; at < text.length; ) {
      const newline = text.indexOf('\n', at)
      const line = text.slice(at, newline < 0 ? text.length : newline)
      const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1]
      if (mark) fence = fence === undefined ? mark : mark.startsWith(fence) ? undefined : fence
      else if (fence === undefined && at - start > SEGMENT && /^#{1,6} /.test(line)) parse(at)
      if (newline < 0) break
      at = newline + 1
    }
  }
  parse(text.length)
  return blocks
}

/** Units for the blocks between two headings, partitioning `[start, end)`. */
function blockUnits(text: string, blocks: readonly Block[], start: number, end: number): Unit[] {
  const units: Unit[] = []
  for (const block of blocks) {
    const from = startOf(text, block)
    const before = units.at(-1)
    if (from < start || from >= end || (before && from <= before.start)) continue
    const unit: Unit = {
      start: before ? from : start,
      end,
      kind: 'section',
      names: [],
      label: labelOf(text, from, end),
      rank: 3,
    }
    const { node, shift } = block
    if (node.type === 'list') {
      const items = node.children.map((item) => ({ node: item as unknown as RootContent, shift }))
      unit.expand = () => blockUnits(text, items, unit.start, unit.end)
    }
    if (before) before.end = unit.start
    units.push(unit)
  }
  return units
}

/** The sections in `headings`, each with all its content, as units that partition `[start, end)`. */
function sectionUnits(
  text: string,
  headings: readonly Heading[],
  start: number,
  end: number,
  blocks: readonly Block[],
): Unit[] {
  const units: Unit[] = []
  const firstHeading = headings[0]
  if (!firstHeading || text.slice(start, firstHeading.start).trim() !== '') {
    const stop = firstHeading?.start ?? end
    const unit: Unit = { start, end: stop, kind: 'section', names: [], label: 'intro', rank: 0 }
    unit.expand = () => blockUnits(text, blocks, start, stop)
    units.push(unit)
  }
  for (let i = 0; i < headings.length; ) {
    const heading = headings[i]
    if (!heading) break
    let next = i + 1
    while (next < headings.length && (headings[next]?.depth ?? 0) > heading.depth) next++
    const inner = headings.slice(i + 1, next)
    const unit: Unit = {
      start: units.length === 0 ? start : heading.start,
      end: headings[next]?.start ?? end,
      kind: 'section',
      names: [],
      label: oneLine(heading.title, 80) || 'untitled',
      signature: oneLine(heading.title, 120),
      rank: heading.depth - 6,
    }
    unit.expand = () =>
      inner.length > 0
        ? sectionUnits(text, inner, unit.start, unit.end, blocks)
        : blockUnits(text, blocks, unit.start, unit.end)
    units.push(unit)
    i = next
  }
  return units
}

/**
 * The units of a Markdown file (CommonMark; front matter is separate), partitioning the whole text.
 * @param text - the file with `\n` line ends
 */
export function markdownUnits(text: string): Unit[] {
  const blocks = blocksOf(text, frontMatter(text))
  const headings: Heading[] = []
  for (const block of blocks) {
    if (block.node.type !== 'heading') continue
    headings.push({ start: startOf(text, block), depth: block.node.depth, title: plainText(block.node) })
  }
  return sectionUnits(text, headings, 0, text.length, blocks)
}
