/**
 * Claude Code's settings with and without the coordinator's hooks. Pure functions.
 * @module
 */

interface HookGroup {
  matcher?: string
  hooks?: { type?: string; command?: string; timeout?: number }[]
}

/** The part of the settings that is touched. */
export interface ClaudeSettings {
  env?: Record<string, string>
  hooks?: Record<string, HookGroup[]>
  [other: string]: unknown
}

/** Events that the hook program knows, and the seconds that Claude Code waits for it at most. */
const EVENTS: Readonly<Record<string, number>> = { UserPromptSubmit: 10, Stop: 20, SessionStart: 5, SessionEnd: 5 }
const VARIABLES = ['HYBRID_URL', 'HYBRID_API_KEY', 'HYBRID_PROJECT'] as const

/** The variables that the hooks read. */
export type HookVariables = Partial<Record<(typeof VARIABLES)[number], string>>

/**
 * Adds the hooks, replacing those of an earlier call. Everything else stays as it is.
 * @param program path of hook.mjs
 */
export function withHooks(settings: ClaudeSettings, program: string, variables: HookVariables): ClaudeSettings {
  const clean = withoutHooks(settings, program)
  const hooks = { ...clean.hooks }
  for (const [event, timeout] of Object.entries(EVENTS)) {
    const command = `node ${JSON.stringify(program)}`
    hooks[event] = [...(hooks[event] ?? []), { hooks: [{ type: 'command', command, timeout }] }]
  }
  return { ...clean, env: { ...clean.env, ...variables }, hooks }
}

/** Takes out the hooks and their variables, and what is empty after that. */
export function withoutHooks(settings: ClaudeSettings, program: string): ClaudeSettings {
  const { env, hooks, ...others } = settings
  const isOurs = (command: string | undefined) =>
    command !== undefined &&
    (command.includes(program) || /integrations[\\/](?:claude-code|hooks)[\\/]hook\.mjs/.test(command))
  const left: Record<string, HookGroup[]> = {}
  for (const [event, groups] of Object.entries(hooks ?? {})) {
    const kept = groups
      .map((group) => ({ ...group, hooks: (group.hooks ?? []).filter(({ command }) => !isOurs(command)) }))
      .filter((group) => group.hooks.length > 0)
    if (kept.length > 0) left[event] = kept
  }
  const variables = Object.fromEntries(
    Object.entries(env ?? {}).filter(([name]) => !(VARIABLES as readonly string[]).includes(name)),
  )
  return {
    ...others,
    ...(Object.keys(variables).length > 0 && { env: variables }),
    ...(Object.keys(left).length > 0 && { hooks: left }),
  }
}
