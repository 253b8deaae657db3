/**
 * A table of commands. Each is loaded on demand.
 * @module
 */

/** One command: its line in the help, and the module that runs it. */
export interface Command {
  readonly summary: string
  readonly load: () => Promise<{ run(argv: string[]): Promise<number> }>
}

/** A program with several commands. */
export interface Program {
  readonly title: string
  /** What a user types before the name of a command, such as `npm run`. */
  readonly prefix: string
  readonly commands: Readonly<Record<string, Command>>
}

/**
 * Runs the command named by the first argument, or prints the list of commands.
 * @returns the exit code of the command; 0 after the help, 2 for an unknown command
 */
export async function runCommand(program: Program, [name = '', ...argv]: string[]): Promise<number> {
  const command = Object.hasOwn(program.commands, name) ? program.commands[name] : undefined
  if (command) return (await command.load()).run(argv)
  const entries = Object.entries(program.commands)
  const width = Math.max(...entries.map(([command]) => command.length))
  const lines = entries.map(([command, { summary }]) => `  ${program.prefix} ${command.padEnd(width)}  ${summary}`)
  const text = `${program.title}\n\n${lines.join('\n')}\n\nEach command takes --help.\n`
  if (['', 'help', '--help', '-h'].includes(name)) {
    process.stdout.write(text)
    return 0
  }
  process.stderr.write(`There is no command ${JSON.stringify(name)}.\n\n${text}`)
  return 2
}
