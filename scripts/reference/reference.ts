/**
 * `npm run check -- reference`: writes docs/api.md and docs/settings.md from the table of operations and the schema of the settings.
 * @module
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as z from 'zod'
import { parseArguments, UsageError } from '../../cli/shared/args.ts'
import { style } from '../../cli/shared/terminal.ts'
import { apiReference, type DescribedOperation } from './api.ts'
import type { Schema } from './schema.ts'
import { settingsReference } from './settings.ts'

const HELP = `Usage: npm run check -- reference [options]

Writes docs/api.md and docs/settings.md from the source.

Options
  --check      write nothing; fail when a file is out of date
  -h, --help   print this
`

const DOCS = join(import.meta.dirname, '../../docs')

/** The generated pages by file name. */
export async function referencePages(): Promise<Record<string, string>> {
  const { OPERATIONS } = await source<{ OPERATIONS: DescribedOperation[] }>('operations/index.ts')
  const schemas = await source<{
    inputSchemaOf(operation: DescribedOperation): Schema
    outputSchemaOf(operation: DescribedOperation): Schema
  }>('transports/json-schema.ts')
  const { openApiDocument } = await source<{ openApiDocument(operations: DescribedOperation[]): OpenApi }>(
    'transports/openapi.ts',
  )
  const { settingsSchema } = await source<{ settingsSchema: z.ZodType }>('settings.ts')
  const { tags, paths } = openApiDocument(OPERATIONS)
  const described = OPERATIONS.map((operation) => ({
    ...operation,
    area: areaOf(operation, paths),
    input: schemas.inputSchemaOf(operation),
    output: schemas.outputSchemaOf(operation),
  }))
  const settings = z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' })
  return {
    'api.md': apiReference(described, tags),
    'settings.md': settingsReference((settings.properties ?? {}) as Record<string, Schema>),
  }
}

interface OpenApi {
  tags: { name: string; description: string }[]
  paths: Record<string, Record<string, { tags?: string[] }>>
}

/** A module of the Worker. Loaded by its path, because its types are those of Workers and the command line's those of Node. */
function source<T>(path: string): Promise<T> {
  return import(pathToFileURL(join(import.meta.dirname, '../../src', path)).href)
}

function areaOf({ http }: DescribedOperation, paths: OpenApi['paths']): string {
  const [first] = http
  return first ? (paths[first.path]?.[first.method.toLowerCase()]?.tags?.[0] ?? '') : ''
}

/** Runs the command. Exit codes: 0 done, 1 a page is out of date, 2 called wrongly. */
export async function run(argv: string[]): Promise<number> {
  try {
    const { values } = parseArguments(argv, { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
    let stale = 0
    for (const [name, text] of Object.entries(await referencePages())) {
      const path = join(DOCS, name)
      const same = (await readFile(path, 'utf8').catch(() => '')) === text
      if (same) continue
      if (values.check) {
        stale++
        process.stderr.write(`${style('red', `docs/${name} is out of date.`)} Run npm run check -- reference.\n`)
      } else {
        await writeFile(path, text)
        process.stdout.write(`docs/${name} written\n`)
      }
    }
    return stale > 0 ? 1 : 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${style('red', error.message)}\nSee npm run check -- reference --help\n`)
    return 2
  }
}

if (import.meta.main) process.exitCode = await run(process.argv.slice(2))
