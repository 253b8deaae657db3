/**
 * Coding agents that run with our own model server: each is connected with the product's command, asked one question,
 * and told in a second message that the answer works.
 * @module
 */
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** The environment of an agent. */
export interface Place {
  /** A git repository. */
  readonly folder: string
  /** An empty home folder. */
  readonly home: string
  readonly model: string
}

/** How an agent is started. */
export interface Agent {
  readonly title: string
  /** Its name for `npm run connect`. */
  readonly client: string
  /** npm package and program. */
  readonly package: string
  readonly version: string
  readonly program: string
  /** Writes settings beyond the connection, and returns the variables for its process. */
  prepare(place: Place): Promise<Record<string, string>>
  /** Arguments for one message. `again`: in the same conversation. */
  message(text: string, again: boolean, place: Place): string[]
}

async function write(path: string, content: string | object): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
}

export const AGENTS: readonly Agent[] = [
  {
    title: 'Claude Code',
    client: 'claude-code',
    package: '@anthropic-ai/claude-code',
    version: '2.1.197',
    program: 'claude',
    prepare: async ({ model }) => ({
      ANTHROPIC_BASE_URL: model,
      ANTHROPIC_API_KEY: 'sk-ant-none',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
    }),
    message: (text, again) => [
      '-p',
      text,
      '--mcp-config',
      '.mcp.json',
      '--allowedTools',
      'mcp__hybrid-coordinator',
      ...(again ? ['--continue'] : []),
    ],
  },
  {
    title: 'Codex',
    client: 'codex',
    package: '@openai/codex',
    version: '0.171.0',
    program: 'codex',
    async prepare({ folder, home, model }) {
      await write(
        join(home, '.codex/config.toml'),
        [
          'model = "fake"',
          'model_provider = "fake"',
          '[model_providers.fake]',
          'name = "fake"',
          `base_url = "${model}/v1"`,
          'wire_api = "responses"',
          'env_key = "FAKE_KEY"',
          `[projects."${folder}"]`,
          'trust_level = "trusted"',
          '',
        ].join('\n'),
      )
      return { FAKE_KEY: 'none' }
    },
    message: (text, again) => [
      'exec',
      ...(again ? ['resume', '--last'] : []),
      '--dangerously-bypass-approvals-and-sandbox',
      '--dangerously-bypass-hook-trust',
      text,
    ],
  },
  {
    title: 'Gemini CLI',
    client: 'gemini',
    package: '@google/gemini-cli',
    version: '0.61.0',
    program: 'gemini',
    async prepare({ home, model }) {
      await write(join(home, '.gemini/settings.json'), {
        security: { auth: { selectedType: 'gemini-api-key' } },
        general: { disableAutoUpdate: true, disableUpdateNag: true },
      })
      return { GEMINI_API_KEY: 'none', GOOGLE_GEMINI_BASE_URL: model, GEMINI_CLI_TRUST_WORKSPACE: 'true' }
    },
    // With an automatic model choice, it would first ask another model to choose.
    message: (text, again) => [
      '--yolo',
      '--model',
      'gemini-2.5-flash',
      ...(again ? ['--resume', 'latest'] : []),
      '-p',
      text,
    ],
  },
  {
    title: 'OpenCode',
    client: 'opencode',
    package: 'opencode-ai',
    version: '1.18.33',
    program: 'opencode',
    async prepare({ home, model }) {
      await write(join(home, '.config/opencode/opencode.json'), {
        autoupdate: false,
        share: 'disabled',
        model: 'fake/fake',
        provider: {
          fake: {
            npm: '@ai-sdk/openai-compatible',
            name: 'fake',
            options: { baseURL: `${model}/v1`, apiKey: 'none' },
            models: { fake: { name: 'fake', tool_call: true, limit: { context: 100_000, output: 4_000 } } },
          },
        },
      })
      return { OPENCODE_DISABLE_AUTOUPDATE: '1' }
    },
    // It puts a message of one argument in quotation marks.
    message: (text, again) => ['run', ...(again ? ['--continue'] : []), ...text.split(' ')],
  },
]

/** The output of a program. */
export interface Ended {
  readonly code: number | null
  readonly out: string
}

/** Maximum time for one message: an agent may install dependencies at its first start. */
const MESSAGE_MS = 600_000

/** Runs a program until it ends. */
export function runProgram(
  program: string,
  parameters: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; milliseconds?: number },
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), options.milliseconds ?? MESSAGE_MS)
    let out = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        out += text
      })
    child.on('error', (error) => {
      out += error.message
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, out })
    })
  })
}

/** The variables for an agent's processes: its own home folder, and none of the user's keys. */
export function environmentOf(home: string, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { PATH, LANG, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS } = process.env
  return { PATH, LANG, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS, HOME: home, CI: '1', NO_COLOR: '1', ...more }
}
