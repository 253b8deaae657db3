import * as z from 'zod'
import { notFound } from '../../errors.ts'
import { conversationId, project } from '../fields.ts'
import { operation, REMOVES } from '../operation.ts'

export const deleteSession = operation({
  name: 'delete_session',
  group: 'context',
  title: 'Delete a conversation',
  description: 'Delete a conversation: its turns and the record of what was sent.',
  scope: 'write',
  annotations: REMOVES,
  http: [{ method: 'DELETE', path: '/session/{session_id}' }],
  input: z.strictObject({ project, session_id: conversationId.describe('Id of the conversation.') }),
  output: z.object({ status: z.literal('deleted'), session_id: z.string() }),
  async run(services, input) {
    const existed = await services.conversations.delete(input.project, input.session_id)
    if (!existed) throw notFound('session', 'session_id')
    return { status: 'deleted' as const, session_id: input.session_id }
  },
})
