import { AjvJsonSchemaValidator as Ajv2026 } from '@modelcontextprotocol/client/validators/ajv'
import { AjvJsonSchemaValidator as Ajv2025 } from '@modelcontextprotocol/sdk/validation/ajv-provider.js'
import { describe, expect, test } from 'vitest'
import pinned from './tools.json' with { type: 'json' }

interface Tool {
  name: string
  inputSchema: Record<string, unknown>
}

const tools = pinned as unknown as Tool[]

/** Validators of clients on Node.js. A schema that one rejects breaks the client's list of tools. */
describe.each([
  ['of SDK v1', new Ajv2025()],
  ['of SDK v2', new Ajv2026()],
])('the validator %s', (_, validator) => {
  test.each(tools.map((tool) => [tool.name, tool] as const))('compiles the schemas of %s', (_, tool) => {
    const validate = validator.getValidator(tool.inputSchema)
    expect(validate([]).valid).toBe(false)
  })
})
