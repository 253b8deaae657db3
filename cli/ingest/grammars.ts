/**
 * Loads tree-sitter (WebAssembly) and its grammars, each once and on demand.
 * @module
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Language, Parser, type Tree } from 'web-tree-sitter'

/** Parser operations between two calls of the progress callback (tree-sitter, `OP_COUNT_PER_PARSER_CALLBACK_CHECK`). */
const OPERATIONS_PER_CALLBACK = 100
/**
 * Maximum parser operations for one file. Ordinary code needs about one per character. Operations are counted instead
 * of time, so that the same file gives the same tree on any machine.
 */
const MAX_OPERATIONS = 2_000_000
/** Files with more characters are allowed this many operations per character. */
const OPERATIONS_PER_CHARACTER = 4

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

async function start(): Promise<Parser> {
  // V8's optimising compiler takes hundreds of megabytes for a grammar's lexer, and more time than it saves.
  setFlagsFromString('--no-wasm-dynamic-tiering')
  setFlagsFromString('--no-wasm-tier-up')
  await Parser.init()
  return new Parser()
}

/** Why there is no tree: no grammar for the language, too many operations, or the parser failed. */
export type NoTree = 'none' | 'budget' | 'failed'

/**
 * Parses a text and passes the tree to `use`. The tree is freed afterwards.
 * @param stem - grammar file stem, e.g. `typescript`
 * @param use - works on the tree synchronously; offsets are UTF-16 code units of `text`
 * @returns what `use` returned, or why there is no tree
 */
export async function withTree<T extends object>(
  stem: string,
  text: string,
  use: (tree: Tree) => T,
): Promise<T | NoTree> {
  parser ??= start()
  const [instance, grammar] = await Promise.all([parser, parser.then(() => loadGrammar(stem))])
  if (!grammar) return 'none'
  const budget = Math.max(MAX_OPERATIONS, text.length * OPERATIONS_PER_CHARACTER) / OPERATIONS_PER_CALLBACK
  let callbacks = 0
  let tree: Tree | null = null
  try {
    instance.setLanguage(grammar)
    tree = instance.parse(text, null, { progressCallback: () => ++callbacks > budget })
    if (!tree) {
      instance.reset()
      return 'budget'
    }
    return tree.rootNode.type === 'ERROR' ? 'none' : use(tree)
  } catch (error) {
    // Nesting that is too deep for the stack is a property of the file and permanent. A parser that failed is not used
    // again.
    if (!(error instanceof Error) || !['RangeError', 'RuntimeError'].includes(error.name)) throw error
    if (error.name === 'RangeError') return 'budget'
    parser = undefined
    grammars.clear()
    return 'failed'
  } finally {
    tree?.delete()
  }
}
