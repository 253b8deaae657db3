import { expect, test } from 'vitest'
import { OPERATIONS } from '../../src/operations/index.ts'
import { toolOf } from '../../src/surfaces/mcp.ts'

/** A change of the tools is a change for every agent that uses them: accept it with `npm test -- -u tools.pinned`. */
test('the tools and their schemas are those of tools.json', async () => {
  await expect(`${JSON.stringify(OPERATIONS.map(toolOf), null, 2)}\n`).toMatchFileSnapshot('./tools.json')
})

test('tools have a title, a description that says when to use them, and described fields', () => {
  for (const tool of OPERATIONS.map(toolOf)) {
    expect(tool.name).toMatch(/^[a-z][a-z_]{2,63}$/)
    expect(tool.title).toBeTruthy()
    expect(tool.description?.length, tool.name).toBeGreaterThan(20)
    expect(tool.annotations).toMatchObject({ readOnlyHint: expect.any(Boolean) })
  }
})
