/**
 * The agents that `connect` supports: the location and format of each one's configuration. Pure functions.
 * @module
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Edit } from './edits.ts'

/** The parts of a connection. */
export interface Connection {
  readonly url: string
  readonly key: string | undefined
  readonly project: string
  /** Folder in which the agent runs; null: all folders of this user. */
  readonly folder: string | null
  readonly home: string
  readonly env: NodeJS.ProcessEnv
  readonly platform: NodeJS.Platform
  /** JSON file with the variables for hooks. */
  readonly settingsFile: string
  /** Whether agents with hooks also get the MCP tools. */
  readonly tools: boolean
}

/** An agent. */
export interface Client {
  readonly title: string
  /** How it gets context automatically; null: the person must ask. */
  readonly automatic: 'hooks' | 'instructions' | null
  /** The files to edit. */
  edits(connection: Connection): Edit[]
  /** What the user still has to do. */
  readonly next: string
  /**
   * Files or folders that show that the agent is used on this machine, relative to the home folder; and its program.
   */
  readonly signs: readonly string[]
  readonly program?: string
  /** Set if its configuration exists only per user. */
  readonly userOnly?: true
}

const ROOT = join(import.meta.dirname, '../..')
const HOOK = join(ROOT, 'integrations/hooks/hook.mjs')
const PLUGIN = join(ROOT, 'integrations/opencode/plugin.mjs')
/** The coordinator's name in agents. */
export const NAME = 'hybrid-coordinator'

/** Matches entries written by earlier versions of this command. */
const OURS = /integrations[\\/]+(?:hooks|claude-code)[\\/]+hook\.mjs/

/** Instructions for an agent without hooks. */
export const INSTRUCTIONS = `Before you answer a question about this project, call the tool \`augment_query\` of \`${NAME}\` with the question and use what it
returns. After the answer call \`track_interaction\` with the question, the answer, and the \`context_ids\` and \`retrieval_id\` that
\`augment_query\` returned. When you know whether it worked, call \`update_outcome\`.
`

/** The address of the MCP server, bound to the project. */
export function mcpUrl({ url, project }: Pick<Connection, 'url' | 'project'>): string {
  return project === 'default' ? `${url}/mcp` : `${url}/mcp/${encodeURIComponent(project)}`
}

function headers({ key }: Connection): { headers?: Record<string, string> } {
  return key === undefined ? {} : { headers: { 'X-API-Key': key } }
}

/** Path in the project's folder, or in the home folder. */
function place({ folder, home }: Connection, inFolder: string, inHome: string): string {
  return folder === null ? join(home, inHome) : join(folder, inFolder)
}

function hookCommand(client: string, { settingsFile }: Connection): string {
  return (
    [process.execPath, HOOK].map((path) => JSON.stringify(path)).join(' ') +
    ` ${client} ${JSON.stringify(settingsFile)}`
  )
}

/** Groups of hooks in the format of Claude Code, Codex and Gemini CLI. */
function hookGroups(client: string, connection: Connection, timeouts: Record<string, number>): Edit['appends'] {
  const command = hookCommand(client, connection)
  return Object.entries(timeouts).map(([event, timeout]) => ({
    path: ['hooks', event],
    value: { hooks: [{ type: 'command', command, timeout }] },
    ours: OURS,
  }))
}

/** All agents, by their names in the command. */
export const CLIENTS: Readonly<Record<string, Client>> = {
  'claude-code': {
    title: 'Claude Code',
    automatic: 'hooks',
    signs: ['.claude', '.claude.json'],
    program: 'claude',
    next: 'Start a new session of Claude Code.',
    edits: (connection) => [
      {
        kind: 'json',
        path: place(connection, '.claude/settings.local.json', '.claude/settings.json'),
        sets: [],
        // Variables of an earlier version. The key in them was visible to every command that Claude Code ran.
        removes: ['HYBRID_URL', 'HYBRID_API_KEY', 'HYBRID_PROJECT'].map((name) => ['env', name]),
        appends: hookGroups('claude-code', connection, {
          UserPromptSubmit: 10,
          Stop: 10,
          SessionStart: 5,
          SessionEnd: 5,
        }),
      },
      ...(connection.tools
        ? [
            {
              kind: 'json' as const,
              path: place(connection, '.mcp.json', '.claude.json'),
              sets: [
                {
                  path: ['mcpServers', NAME],
                  value: { type: 'http', url: mcpUrl(connection), ...headers(connection) },
                },
              ],
              holdsKey: true,
            },
          ]
        : []),
    ],
  },
  codex: {
    title: 'Codex',
    automatic: 'hooks',
    signs: ['.codex'],
    program: 'codex',
    next: 'Start Codex, open /hooks and trust the hooks of Hybrid Coordinator; Codex skips hooks that nobody trusted.',
    edits: (connection) => [
      {
        kind: 'json',
        path: place(connection, '.codex/hooks.json', '.codex/hooks.json'),
        sets: [],
        appends: hookGroups('codex', connection, { UserPromptSubmit: 10, Stop: 10, SessionStart: 5, PostCompact: 5 }),
      },
      ...(connection.tools
        ? [
            {
              kind: 'toml' as const,
              path: place(connection, '.codex/config.toml', '.codex/config.toml'),
              table: `mcp_servers.${NAME}`,
              lines: [
                `url = ${JSON.stringify(mcpUrl(connection))}`,
                ...(connection.key === undefined
                  ? []
                  : [`http_headers = { "X-API-Key" = ${JSON.stringify(connection.key)} }`]),
              ],
              holdsKey: true,
            },
          ]
        : []),
    ],
  },
  gemini: {
    title: 'Gemini CLI',
    automatic: 'hooks',
    signs: ['.gemini'],
    program: 'gemini',
    next: 'Start a new session of Gemini CLI.',
    edits: (connection) => [
      {
        kind: 'json',
        path: place(connection, '.gemini/settings.json', '.gemini/settings.json'),
        sets: connection.tools
          ? [{ path: ['mcpServers', NAME], value: { httpUrl: mcpUrl(connection), ...headers(connection) } }]
          : [],
        // In milliseconds, unlike the others.
        appends: hookGroups('gemini', connection, {
          BeforeAgent: 10_000,
          AfterAgent: 10_000,
          SessionStart: 5000,
          SessionEnd: 5000,
          PreCompress: 5000,
        }),
        holdsKey: connection.tools,
      },
    ],
  },
  opencode: {
    title: 'OpenCode',
    automatic: 'hooks',
    signs: ['.config/opencode', '.local/share/opencode'],
    program: 'opencode',
    next: 'Start a new session of OpenCode.',
    edits: (connection) => [
      {
        kind: 'file',
        path: place(connection, `.opencode/plugins/${NAME}.js`, `.config/opencode/plugins/${NAME}.js`),
        text: `import { hybridCoordinator } from ${JSON.stringify(pathToFileURL(PLUGIN).href)}

export const HybridCoordinator = hybridCoordinator(${JSON.stringify(connection.settingsFile)})
`,
      },
      ...(connection.tools
        ? [
            {
              kind: 'json' as const,
              path: place(connection, 'opencode.json', '.config/opencode/opencode.json'),
              // OpenCode adds this line to files that don't have it.
              initial: '{\n  "$schema": "https://opencode.ai/config.json"\n}\n',
              sets: [
                {
                  path: ['mcp', NAME],
                  value: {
                    type: 'remote',
                    url: mcpUrl(connection),
                    enabled: true,
                    oauth: false,
                    ...headers(connection),
                  },
                },
              ],
              holdsKey: true,
            },
          ]
        : []),
    ],
  },
  cursor: {
    title: 'Cursor',
    automatic: 'instructions',
    signs: ['.cursor'],
    next: 'Open Cursor’s settings, MCP, and switch hybrid-coordinator on.',
    edits: (connection) => [
      {
        kind: 'json',
        path: place(connection, '.cursor/mcp.json', '.cursor/mcp.json'),
        sets: [{ path: ['mcpServers', NAME], value: { url: mcpUrl(connection), ...headers(connection) } }],
        holdsKey: true,
      },
      // A user's rules are in Cursor's own database.
      ...(connection.folder === null
        ? []
        : [
            {
              kind: 'file' as const,
              path: join(connection.folder, `.cursor/rules/${NAME}.mdc`),
              text: `---\ndescription: Knowledge of the team\nalwaysApply: true\n---\n\n${INSTRUCTIONS}`,
            },
          ]),
    ],
  },
  vscode: {
    title: 'VS Code',
    automatic: 'instructions',
    signs: ['.config/Code', 'Library/Application Support/Code', 'AppData/Roaming/Code', '.vscode'],
    program: 'code',
    next: 'Open the folder in VS Code and start the server hybrid-coordinator (MCP: List Servers).',
    edits: (connection) => [
      {
        kind: 'json',
        path:
          connection.folder === null
            ? join(applicationData(connection), 'Code/User/mcp.json')
            : join(connection.folder, '.vscode/mcp.json'),
        sets: [{ path: ['servers', NAME], value: { type: 'http', url: mcpUrl(connection), ...headers(connection) } }],
        holdsKey: true,
      },
      ...(connection.folder === null
        ? []
        : [
            {
              kind: 'file' as const,
              path: join(connection.folder, `.github/instructions/${NAME}.instructions.md`),
              text: `---\napplyTo: '**'\n---\n\n${INSTRUCTIONS}`,
            },
          ]),
    ],
  },
  'claude-desktop': {
    title: 'Claude Desktop',
    automatic: null,
    userOnly: true,
    signs: ['Library/Application Support/Claude', '.config/Claude', 'AppData/Roaming/Claude'],
    next:
      'Quit Claude Desktop and open it again. To have it ask by itself, put into the instructions of your project:\n\n' +
      INSTRUCTIONS,
    edits: (connection) => [
      {
        kind: 'json',
        path: join(applicationData(connection), 'Claude/claude_desktop_config.json'),
        // It only starts programs, so mcp-remote forwards the calls. A key in a variable isn't split at its space.
        sets: [
          {
            path: ['mcpServers', NAME],
            value: {
              command: 'npx',
              args: [
                '-y',
                'mcp-remote',
                mcpUrl(connection),
                ...(/^http:\/\/(?!localhost|127\.)/.test(connection.url) ? ['--allow-http'] : []),
                ...(connection.key === undefined ? [] : ['--header', `X-API-Key:\${HYBRID_API_KEY}`]),
              ],
              ...(connection.key !== undefined && { env: { HYBRID_API_KEY: connection.key } }),
            },
          },
        ],
        holdsKey: true,
      },
    ],
  },
}

function applicationData({ platform, home, env }: Connection): string {
  if (platform === 'darwin') return join(home, 'Library/Application Support')
  if (platform === 'win32') return env.APPDATA || join(home, 'AppData/Roaming')
  return env.XDG_CONFIG_HOME || join(home, '.config')
}

/** The variables that hooks read from their settings file. */
export function hookVariables({ url, key, project }: Connection): Record<string, string> {
  return { HYBRID_URL: url, HYBRID_PROJECT: project, ...(key !== undefined && { HYBRID_API_KEY: key }) }
}

/** The configuration for an unknown agent, in the most common format. */
export function printable(connection: Connection): string {
  const server = { type: 'http', url: mcpUrl(connection), ...headers(connection) }
  return `${JSON.stringify({ mcpServers: { [NAME]: server } }, null, 2)}\n`
}
