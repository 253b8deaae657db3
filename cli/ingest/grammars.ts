/**
 * Loads tree-sitter (WebAssembly) and its grammars, each once and only when the first file needs it.
 * @module
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Language, Parser, type Tree } from 'web-tree-sitter'

/** Longest time one file may be parsed, in milliseconds; a slower one is chunked as plain text. */
const PARSE_LIMIT_MS = 2_000

const folder = join(dirname(createRequire(import.meta.url).resolve('@vscode/tree-sitter-wasm/package.json')), 'wasm')
const grammars = new Map<string, Promise<Language | undefined>>()
let parser: Promise<Parser> | undefined

function loadGrammar(stem: string): Promise<Language | undefined> {
  let grammar = grammars.get(stem)
  if (!grammar) {
    grammar = Language.load(join(folder, `tree-sitter-${stem}.wasm`)).catch(() => undefined)
    grammars.set(stem, grammar)
  }
  return grammar
}

/**
 * Parses a text and hands the tree to `use`; the tree is freed afterwards.
 * @param stem - grammar file stem, e.g. `typescript`
 * @param use - works on the tree synchronously; offsets are UTF-16 code units of `text`
 * @returns what `use` returned, or undefined when there is no grammar, parsing took too long, or the text is not of
 *   that language at all (the whole tree is one error)
 */
export async function withTree<T>(stem: string, text: string, use: (tree: Tree) => T): Promise<T | undefined> {
  parser ??= Parser.init().then(() => new Parser())
  const [instance, grammar] = await Promise.all([parser, parser.then(() => loadGrammar(stem))])
  if (!grammar) return undefined
  instance.setLanguage(grammar)
  const deadline = performance.now() + PARSE_LIMIT_MS
  const tree = instance.parse(text, null, { progressCallback: () => performance.now() > deadline })
  if (!tree) {
    instance.reset()
    return undefined
  }
  try {
    return tree.rootNode.type === 'ERROR' ? undefined : use(tree)
  } finally {
    tree.delete()
  }
}
