/**
 * The page of settings as Markdown. Pure functions.
 * @module
 */
import { cell, type Schema, typeOf } from './schema.ts'

/** A table of every variable: type, default, meaning. */
export function settingsReference(variables: Readonly<Record<string, Schema>>): string {
  const rows = Object.entries(variables).map(([name, schema]) => {
    const fallback = schema.default === undefined || schema.default === '' ? '' : `\`${String(schema.default)}\``
    return `| \`${name}\` | ${cell(typeOf(schema))} | ${cell(fallback)} | ${cell(schema.description ?? '')} |`
  })
  return [
    '# Settings',
    '',
    'Made by `npm run check -- reference` from `src/settings.ts`. On your own machine variables stand in `.dev.vars`, one `NAME=value` a line;',
    'in a deployment under `[vars]` in `wrangler.toml`, and what is secret is set with `npx wrangler secret put NAME`. A value that',
    "can't be used is named in the first answer, never shown.",
    '',
    '| variable | type | default | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
