/**
 * Classifies a file by its name: the language reported in the `language` field, the tree-sitter grammar (if there is
 * one), and whether it is prose.
 * @module
 */

/** How a file is split: along a syntax tree, along Markdown headings, or along blank lines and indentation. */
export type Strategy = 'syntax' | 'markdown' | 'text'

/** A language for the chunker. */
export interface Language {
  /** Name in the `language` field, lower case, e.g. `typescript`. */
  name: string
  strategy: Strategy
  /** Grammar file stem in `@vscode/tree-sitter-wasm`, if `strategy` is `syntax`. */
  grammar?: string
  /** Whether it is prose: then long lines are paragraphs, not a sign of minified code. */
  prose: boolean
}

const syntax = (name: string, grammar = name): Language => ({ name, strategy: 'syntax', grammar, prose: false })
const text = (name: string, prose = false): Language => ({ name, strategy: 'text', prose })
const markdown: Language = { name: 'markdown', strategy: 'markdown', prose: true }

const BY_EXTENSION: Record<string, Language> = {}

function register(language: Language, extensions: string): void {
  for (const extension of extensions.split(' ')) BY_EXTENSION[extension] = language
}

register(syntax('typescript'), 'ts mts cts')
register(syntax('typescript', 'tsx'), 'tsx')
register(syntax('javascript'), 'js mjs cjs jsx')
register(syntax('python'), 'py pyi pyw')
register(syntax('go'), 'go')
register(syntax('rust'), 'rs')
register(syntax('java'), 'java')
register(syntax('c', 'cpp'), 'c h')
register(syntax('cpp'), 'cc cpp cxx hh hpp hxx ipp cu cuh')
register(syntax('csharp', 'c-sharp'), 'cs')
register(syntax('php'), 'php')
register(syntax('ruby'), 'rb rake gemspec')
register(syntax('shell', 'bash'), 'sh bash zsh')
register(syntax('powershell'), 'ps1 psm1')
register(syntax('css'), 'css')
register(markdown, 'md mdx markdown mdown')
register(text('restructuredtext', true), 'rst')
register(text('asciidoc', true), 'adoc asciidoc')
register(text('text', true), 'txt text tex org')
register(text('html'), 'html htm xhtml')
for (const name of 'scala swift lua dart r sql graphql json yaml toml xml vue svelte astro nix zig nim proto ini'.split(
  ' ',
)) {
  register(text(name), name)
}
register(text('json'), 'jsonc json5')
register(text('yaml'), 'yml')
register(text('kotlin'), 'kt kts')
register(text('elixir'), 'ex exs')
register(text('erlang'), 'erl hrl')
register(text('haskell'), 'hs')
register(text('ocaml'), 'ml mli')
register(text('fsharp'), 'fs fsx')
register(text('clojure'), 'clj cljs cljc edn')
register(text('perl'), 'pl pm')
register(text('julia'), 'jl')
register(text('groovy'), 'groovy gradle')
register(text('terraform'), 'tf hcl')
register(text('scss'), 'scss sass less')
register(text('objective-c'), 'm mm')
register(text('assembly'), 's asm')
register(text('webassembly'), 'wat wast')
register(text('ini'), 'cfg conf properties')
register(text('graphql'), 'gql')
register(text('batch'), 'bat cmd')
register(text('fish'), 'fish')

const BY_NAME: Record<string, Language> = {
  dockerfile: text('dockerfile'),
  containerfile: text('dockerfile'),
  makefile: text('makefile'),
  gnumakefile: text('makefile'),
  rakefile: syntax('ruby'),
  gemfile: syntax('ruby'),
  jenkinsfile: text('groovy'),
  'cmakelists.txt': text('cmake'),
  readme: text('text', true),
  license: text('text', true),
  licence: text('text', true),
  changelog: text('text', true),
}

/**
 * The language of a file by its name. Unknown files are plain text.
 * @param path - path or file name, with slashes or backslashes
 */
export function languageOf(path: string): Language {
  const name = (path.split(/[\\/]/).pop() ?? '').toLowerCase()
  const named = BY_NAME[name] ?? (name.startsWith('dockerfile.') ? BY_NAME.dockerfile : undefined)
  if (named) return named
  const dot = name.lastIndexOf('.')
  return (dot >= 0 ? BY_EXTENSION[name.slice(dot + 1)] : undefined) ?? text('text')
}
