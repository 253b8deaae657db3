/**
 * The API reference as Markdown. Pure functions.
 * @module
 */
import { cell, type Schema, typeOf } from './schema.ts'

/** What the reference needs of an operation. */
export interface DescribedOperation {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly scope: string
  readonly offeredTo?: 'rest'
  readonly http: readonly { readonly method: string; readonly path: string }[]
}

/** An operation with its schemas and the area that it belongs to. */
export interface ReferenceEntry extends DescribedOperation {
  readonly area: string
  readonly input: Schema
  readonly output: Schema
}

/** A page with every operation, grouped as the OpenAPI document groups them. */
export function apiReference(
  operations: readonly ReferenceEntry[],
  areas: readonly { name: string; description: string }[],
): string {
  const sections = areas.map(({ name, description }) => {
    const members = operations.filter((operation) => operation.area === name)
    return [`## ${name}`, '', description, '', ...members.flatMap(describe)]
  })
  return [
    '# API reference',
    '',
    'Made by `npm run check -- reference` from the table of operations; MCP tools, REST routes and `/openapi.json` come from the same table.',
    'A POST takes a JSON object, a GET its fields as query parameters; an error is problem+json (RFC 9457) with `code`, `field`,',
    '`limit` and `hint`. Lists may be written as repeated query parameters. The running coordinator shows this page at `/docs`.',
    '',
    '| operation | REST | MCP tool | scope |',
    '|---|---|---|---|',
    ...operations.map(
      (operation) =>
        `| [${operation.title}](#${operation.name}) | ${operation.http.map(({ method, path }) => `\`${method} ${path}\``).join('<br>')} | ` +
        `${operation.offeredTo === 'rest' ? '' : `\`${operation.name}\``} | ${operation.scope} |`,
    ),
    '',
    ...sections.flat(),
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()
    .concat('\n')
}

function describe(operation: ReferenceEntry): string[] {
  const routes = operation.http.map(({ method, path }) => `\`${method} ${path}\``)
  return [
    `### ${operation.name}`,
    '',
    operation.description,
    '',
    `${routes.join(', ')} · scope \`${operation.scope}\`${operation.offeredTo === 'rest' ? ' · not a tool' : ''}`,
    '',
    ...table('input', operation.input),
    ...table('output', operation.output),
  ]
}

function table(title: string, schema: Schema): string[] {
  const fields = Object.entries(schema.properties ?? {})
  if (fields.length === 0) return []
  const required = new Set(schema.required ?? [])
  const rows = fields.map(([name, field]) => {
    const fallback = field.default === undefined ? '' : ` = \`${JSON.stringify(field.default)}\``
    const mark = title === 'input' && required.has(name) && field.default === undefined ? '\\*' : ''
    return `| \`${name}\`${mark} | ${cell(typeOf(field))}${cell(fallback)} | ${cell(field.description ?? '')} |`
  })
  return [`| ${title} | type | |`, '|---|---|---|', ...rows, '']
}
