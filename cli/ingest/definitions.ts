/**
 * The syntax nodes that are definitions, per grammar, and the names that they define.
 * @module
 */
import type { Node } from 'web-tree-sitter'
import type { Kind } from './units.ts'

const JAVASCRIPT: Record<string, Kind> = {
  function_declaration: 'function',
  generator_function_declaration: 'function',
  function_expression: 'function',
  arrow_function: 'function',
  class_declaration: 'class',
  class: 'class',
  method_definition: 'method',
  field_definition: 'variable',
  lexical_declaration: 'variable',
  variable_declaration: 'variable',
  assignment_expression: 'variable',
  pair: 'variable',
  import_statement: 'import',
}

const TYPESCRIPT: Record<string, Kind> = {
  ...JAVASCRIPT,
  abstract_class_declaration: 'class',
  interface_declaration: 'interface',
  type_alias_declaration: 'type',
  enum_declaration: 'enum',
  function_signature: 'function',
  internal_module: 'module',
  module: 'module',
  public_field_definition: 'variable',
  method_signature: 'method',
  abstract_method_signature: 'method',
  property_signature: 'variable',
}

/** Node types of definitions, by grammar file stem. All other nodes are statements. */
export const DEFINITIONS: Record<string, Record<string, Kind>> = {
  javascript: JAVASCRIPT,
  typescript: TYPESCRIPT,
  tsx: TYPESCRIPT,
  python: {
    function_definition: 'function',
    class_definition: 'class',
    assignment: 'variable',
    import_statement: 'import',
    import_from_statement: 'import',
    future_import_statement: 'import',
  },
  go: {
    function_declaration: 'function',
    method_declaration: 'method',
    type_declaration: 'type',
    const_declaration: 'variable',
    var_declaration: 'variable',
    import_declaration: 'import',
    package_clause: 'import',
  },
  rust: {
    function_item: 'function',
    function_signature_item: 'function',
    struct_item: 'class',
    union_item: 'class',
    enum_item: 'enum',
    trait_item: 'interface',
    impl_item: 'impl',
    mod_item: 'module',
    type_item: 'type',
    associated_type: 'type',
    const_item: 'variable',
    static_item: 'variable',
    macro_definition: 'function',
    use_declaration: 'import',
    extern_crate_declaration: 'import',
  },
  java: {
    class_declaration: 'class',
    record_declaration: 'class',
    interface_declaration: 'interface',
    annotation_type_declaration: 'interface',
    enum_declaration: 'enum',
    method_declaration: 'method',
    constructor_declaration: 'method',
    compact_constructor_declaration: 'method',
    annotation_type_element_declaration: 'method',
    field_declaration: 'variable',
    import_declaration: 'import',
    package_declaration: 'import',
  },
  cpp: {
    function_definition: 'function',
    class_specifier: 'class',
    struct_specifier: 'class',
    union_specifier: 'class',
    enum_specifier: 'enum',
    namespace_definition: 'module',
    type_definition: 'type',
    alias_declaration: 'type',
    declaration: 'variable',
    field_declaration: 'variable',
    preproc_def: 'variable',
    preproc_function_def: 'function',
    preproc_include: 'import',
    using_declaration: 'import',
  },
  'c-sharp': {
    class_declaration: 'class',
    struct_declaration: 'class',
    record_declaration: 'class',
    interface_declaration: 'interface',
    enum_declaration: 'enum',
    namespace_declaration: 'module',
    delegate_declaration: 'type',
    method_declaration: 'method',
    constructor_declaration: 'method',
    property_declaration: 'variable',
    using_directive: 'import',
  },
  php: {
    class_declaration: 'class',
    trait_declaration: 'class',
    interface_declaration: 'interface',
    enum_declaration: 'enum',
    function_definition: 'function',
    method_declaration: 'method',
    namespace_use_declaration: 'import',
  },
  ruby: {
    class: 'class',
    module: 'module',
    method: 'method',
    singleton_method: 'method',
    assignment: 'variable',
  },
  bash: { function_definition: 'function', variable_assignment: 'variable' },
  powershell: {
    function_statement: 'function',
    class_statement: 'class',
    enum_statement: 'enum',
    class_method_definition: 'method',
  },
  css: { import_statement: 'import' },
}

/** Nodes that only wrap a definition: an export, decorators, a template, a statement around an expression. */
const WRAPPERS: ReadonlySet<string> = new Set([
  'export_statement',
  'ambient_declaration',
  'decorated_definition',
  'template_declaration',
  'expression_statement',
])

/** Nodes that precede what they describe. */
export const LEADING: ReadonlySet<string> = new Set([
  'comment',
  'line_comment',
  'block_comment',
  'decorator',
  'attribute_item',
  'inner_attribute_item',
])

/** Nodes that enclose others without being their scope. */
export const TRANSPARENT: ReadonlySet<string> = new Set([
  'preproc_if',
  'preproc_ifdef',
  'preproc_elif',
  'preproc_elifdef',
  'preproc_else',
  'preproc_region',
  'linkage_specification',
  'declaration_list',
])

/** The definition inside its wrappers. */
export function unwrap(node: Node): Node {
  let current = node
  while (WRAPPERS.has(current.type)) {
    const inner =
      current.childForFieldName('declaration') ??
      current.childForFieldName('definition') ??
      current.childForFieldName('value') ??
      current.namedChildren.filter((child) => !LEADING.has(child.type)).at(-1)
    if (!inner) break
    current = inner
  }
  return current
}

const plain = (name: string | undefined): string[] => {
  const trimmed = name?.replace(/<[\s\S]*$/, '').trim() ?? ''
  return trimmed !== '' && trimmed.length <= 120 && !/[\s(){}]/.test(trimmed) ? [trimmed] : []
}

/** In C and C++, the name is at the end of a chain of declarators. */
function declaratorNames(node: Node): string[] {
  let current: Node | null = node.childForFieldName('declarator')
  for (let next = current; next; next = next.childForFieldName('declarator')) current = next
  return plain(current?.text)
}

/**
 * The names that a definition introduces, as written, without type parameters; empty if there are none.
 * @param node - a definition, already unwrapped
 * @param grammar - grammar file stem
 */
export function namesOf(node: Node, grammar: string): string[] {
  const field = (name: string): string | undefined => node.childForFieldName(name)?.text
  switch (node.type) {
    case 'lexical_declaration':
    case 'variable_declaration':
      return node.namedChildren.flatMap((child) => plain(child.childForFieldName('name')?.text))
    case 'assignment_expression':
    case 'assignment':
      return plain(field('left')?.replace(/^(?:module\.)?exports\./, ''))
    case 'pair':
      return plain(field('key')?.replace(/^['"]|['"]$/g, ''))
    case 'field_definition':
      return plain(field('property'))
    case 'impl_item':
      return plain(field('type'))
    case 'function_definition':
    case 'type_definition':
    case 'declaration':
      return grammar === 'cpp' ? declaratorNames(node) : plain(field('name'))
    case 'field_declaration':
      if (grammar === 'cpp') return declaratorNames(node)
      return plain(node.childForFieldName('declarator')?.childForFieldName('name')?.text)
    case 'method_declaration': {
      const receiver =
        grammar === 'go'
          ? /([\p{L}_][\p{L}\p{N}_]*)\s*(?:\[[^\]]*\]\s*)?\)$/u.exec(field('receiver') ?? '')?.[1]
          : undefined
      return plain(receiver ? `${receiver}.${field('name')}` : field('name'))
    }
    case 'type_declaration':
    case 'const_declaration':
    case 'var_declaration': {
      const listed = node.namedChildren.flatMap((child) =>
        child.type.endsWith('_list') ? child.namedChildren : [child],
      )
      return listed.flatMap((child) => plain(child.childForFieldName('name')?.text))
    }
    case 'module':
      return plain(field('name')?.replace(/^['"]|['"]$/g, ''))
    case 'function_statement':
    case 'class_statement':
    case 'enum_statement':
    case 'class_method_definition':
      return plain(
        node.namedChildren.find((child) => child.type === 'function_name' || child.type === 'simple_name')?.text,
      )
    default:
      return plain(field('name'))
  }
}
