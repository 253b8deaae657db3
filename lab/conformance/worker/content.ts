/** Tools, resources and prompts that the conformance suite requests by name: content of every kind. */
import { type McpServer, ResourceNotFoundError, ResourceTemplate } from '@modelcontextprotocol/server'
import * as z from 'zod'

/** One red pixel, and a moment of silent audio. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=='
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA='

const text = (value: string) => ({ type: 'text' as const, text: value })
const image = { type: 'image' as const, data: PNG, mimeType: 'image/png' }
const pause = () => new Promise((resolve) => setTimeout(resolve, 50))
const resource = (uri: string, mimeType: string, value: string) => ({
  type: 'resource' as const,
  resource: { uri, mimeType, text: value },
})

/** A JSON Schema with every keyword that a server must pass on unchanged. */
export const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object' as const,
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
}

/** Adds all tools, resources and prompts that answer immediately. */
export function addContent(server: McpServer): void {
  const tool = (name: string, content: () => unknown[] | Promise<unknown[]>) =>
    server.registerTool(name, { description: `Fixture ${name}.`, inputSchema: z.object({}) }, async () => ({
      content: (await content()) as never,
    }))
  tool('test_simple_text', () => [text('This is a simple text response for testing.')])
  tool('test_image_content', () => [image])
  tool('test_audio_content', () => [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }])
  tool('test_embedded_resource', () => [
    resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
  ])
  tool('test_multiple_content_types', () => [
    text('Multiple content types test:'),
    image,
    resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
  ])
  tool('test_error_handling', () => {
    throw new Error('This tool intentionally returns an error for testing')
  })
  const described = { description: 'Says what it does while it does it.', inputSchema: z.object({}) }
  server.registerTool('test_tool_with_logging', described, async (_, { mcpReq }) => {
    await mcpReq.log('info', 'Tool execution started')
    await pause()
    await mcpReq.log('info', 'Tool processing data')
    await pause()
    await mcpReq.log('info', 'Tool execution completed')
    return { content: [text('Done.')] }
  })
  server.registerTool('test_tool_with_progress', described, async (_, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } })
      }
      await pause()
    }
    return { content: [text('Done.')] }
  })
  addResources(server)
  addPrompts(server)
}

function addResources(server: McpServer): void {
  const plain = { description: 'A text.', mimeType: 'text/plain' }
  server.registerResource('static-text', 'test://static-text', plain, () => ({
    contents: [
      { uri: 'test://static-text', mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
    ],
  }))
  const binary = { description: 'A picture.', mimeType: 'image/png' }
  server.registerResource('static-binary', 'test://static-binary', binary, () => ({
    contents: [{ uri: 'test://static-binary', mimeType: 'image/png', blob: PNG }],
  }))
  const json = { description: 'Data by id.', mimeType: 'application/json' }
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined })
  server.registerResource('template', template, json, (uri, { id }) => {
    if (typeof id !== 'string') throw new ResourceNotFoundError(uri.href)
    const value = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
    return { contents: [{ uri: uri.href, mimeType: 'application/json', text: value }] }
  })
}

function addPrompts(server: McpServer): void {
  const user = (content: unknown) => ({ role: 'user' as const, content: content as never })
  server.registerPrompt('test_simple_prompt', { description: 'A prompt.' }, () => ({
    messages: [user(text('This is a simple prompt for testing.'))],
  }))
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'A prompt with arguments.', argsSchema: z.object({ arg1: z.string(), arg2: z.string() }) },
    ({ arg1, arg2 }) => ({ messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] }),
  )
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'A prompt with a resource.', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        user(resource(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
        user(text('Please process the embedded resource above.')),
      ],
    }),
  )
  server.registerPrompt('test_prompt_with_image', { description: 'A prompt with a picture.' }, () => ({
    messages: [user(image), user(text('Please analyze the image above.'))],
  }))
}
