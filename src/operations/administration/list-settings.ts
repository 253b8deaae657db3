import * as z from 'zod'
import { settingsSchema } from '../../settings.ts'
import { operation, READS } from '../operation.ts'

/** Variables whose values are never returned. */
const SECRET = /_(?:API_KEY|SECRET)$/

/** Lists every configuration variable of the coordinator, for its owner. */
export const listSettings = operation({
  name: 'list_settings',
  group: 'administration',
  title: 'List settings',
  description:
    'Every variable with its meaning, its value and where that came from. Secrets are never shown, only whether they are set.',
  scope: 'admin',
  annotations: READS,
  offeredTo: 'rest',
  http: [{ method: 'GET', path: '/settings' }],
  input: z.strictObject({}),
  output: z.object({
    settings: z.array(
      z.object({
        name: z.string(),
        meaning: z.string(),
        value: z.string().nullable().describe('As text; null: not set, or a secret.'),
        source: z.enum(['default', 'variable', 'secret', 'not set']),
      }),
    ),
  }),
  async run({ settings }) {
    const defaults = settingsSchema.parse({}) as Record<string, unknown>
    const current = settings as Record<string, unknown>
    return {
      settings: Object.entries(settingsSchema.shape).map(([name, field]) => {
        const value = current[name]
        const secret = SECRET.test(name)
        const same = JSON.stringify(value) === JSON.stringify(defaults[name])
        const source = value === undefined ? 'not set' : secret ? 'secret' : same ? 'default' : 'variable'
        return {
          name,
          meaning: (field as z.ZodType).description ?? '',
          value: value === undefined || secret ? null : typeof value === 'string' ? value : JSON.stringify(value),
          source: source as 'not set' | 'secret' | 'default' | 'variable',
        }
      }),
    }
  },
})
