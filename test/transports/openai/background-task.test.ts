import { describe, expect, test } from 'vitest'
import { isBackgroundTask } from '../../../src/transports/openai/background-task.ts'

const user = (content: string) => [{ role: 'user', content }]

describe('tasks of chat clients', () => {
  test.each([
    '### Task:\nWrite a short title for this conversation, as JSON with the field "title".\n### Chat History:\n<chat_history>\nUSER: How do I configure the proxy?\nASSISTANT: Set its address in the settings.\n</chat_history>',
    '### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history, along with specific subtopics.\n\n### Chat History:\n<chat_history>\nUSER: Hi\n</chat_history>',
    '### Task:\nSuggest 3-5 relevant follow-up questions that the user might ask next in this conversation.\n<chat_history>…</chat_history>',
    'Please generate a concise, 5-word title for the conversation, in the same language.',
    'Generate a 3-7 word title for this conversation, omitting punctuation.',
    'Based on the chat history, give this conversation a name.\nKeep it short.',
    'Name this chat with a title of at most four words.',
    'USER: How do I configure the proxy?\nASSISTANT: Set its address.\n\nReply with a title that is 3-4 words in length.',
  ])('%#', (text) => {
    expect(isBackgroundTask(user(text), false)).toBe(true)
  })

  test('are recognised by a system prompt that makes the model a part of the client', () => {
    const messages = [{ role: 'system', content: 'You are a title generator. You output ONLY a thread title.' }]
    expect(isBackgroundTask([...messages, ...user('How do I configure the proxy?')], false)).toBe(true)
    expect(isBackgroundTask([...messages, ...user('How do I configure the proxy?')], true)).toBe(false)
  })

  test('are recognised by their beginning and end, however long the transcript is', () => {
    const transcript = `USER: ${'word '.repeat(40_000)}`
    expect(isBackgroundTask(user(`${transcript}\nGenerate a short title for this conversation.`), false)).toBe(true)
    expect(isBackgroundTask(user(`Generate a short title for this conversation.\n${transcript}`), false)).toBe(true)
  })

  test('parts of a message count as its text', () => {
    const parts = [{ type: 'text', text: 'Generate a short title for this conversation.' }]
    expect(isBackgroundTask([{ role: 'user', content: parts }], false)).toBe(true)
  })
})

describe('questions of people', () => {
  test.each([
    'How do I generate a title for a conversation in Open WebUI?',
    'Why does the title of the conversation page not change?',
    'Write a function that creates tags for blog posts.',
    'Generate a title for the conversation list component.',
    'Suggest a name for this variable.',
    'Give me a summary of the retry policy.',
    'What is a session in this code base?',
    'Create a chat window with a title bar.',
    'The user:\nsays that the tags are wrong. Fix the tag parser.',
    'How long is the timeout of the reverse proxy?',
    '',
  ])('%s', (text) => {
    expect(isBackgroundTask(user(text), false)).toBe(false)
  })

  test('with an agent that mentions titles among many things', () => {
    const system = `You are a coding agent. ${'Rules follow. '.repeat(600)} Generate a short title for each pull request.`
    expect(isBackgroundTask([{ role: 'system', content: system }, ...user('Fix the bug.')], false)).toBe(false)
  })
})
