/** Reads a tool's words and runs it; every failure becomes a sentence and a status. */
import fs from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { watchOutput } from '../../cli/output.ts'
import { suggest } from '../../config/suggest.ts'
import { NGINX_VERSION, VERSION } from '../../lib/version.ts'
import { helpOf, overview } from './help.ts'
import { CANNOT_RUN, type Console, FINE, type Tool, ToolFailure, type ToolOptions } from './tool.ts'
import { TOOLS } from './tools.ts'

/** Runs what the words ask for; undefined when they are not for a tool, but nginx's command line. */
export async function runTool(words: readonly string[], console = terminal()): Promise<number | undefined> {
  const [first, ...rest] = words.length === 0 && !isInstalled() ? ['serve'] : words
  if (first === '--help' || (first === 'help' && rest.length === 0)) {
    console.out(overview(TOOLS, console.colours))
    return FINE
  }
  if (first === '--version') {
    console.out(`viaduct ${VERSION} (nginx ${NGINX_VERSION})\n`)
    return FINE
  }
  const [name, args] = first === 'help' ? [rest[0], ['--help']] : [first, rest]
  const entry = TOOLS.find((one) => one.name === name)
  if (entry === undefined) return undefined
  return runOne(await entry.load(), args, console)
}

/** There is a configuration that the server would take by itself. */
function isInstalled(): boolean {
  return process.env['VIADUCT_NAME'] === 'nginx' || fs.existsSync('/etc/nginx/nginx.conf')
}

async function runOne(tool: Tool, args: readonly string[], console: Console): Promise<number> {
  try {
    if (args.includes('--help') && !args.slice(0, args.indexOf('--help')).includes('--')) {
      console.out(helpOf(tool, console.colours))
      return FINE
    }
    const { values, positionals } = readWords(tool.options, args, `viaduct ${tool.name} --help`)
    if (positionals.length > 0 && typeof tool.words === 'object' && tool.words.length === 0)
      throw new ToolFailure(
        `it takes no words, not "${positionals[0]}"`,
        `viaduct ${tool.name} --help lists the options`,
      )
    return await tool.run(values, positionals, console, TOOLS)
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error
    console.error(`viaduct ${tool.name}: ${error.message}\n`)
    if (error.hint !== undefined) console.error(`  hint: ${error.hint}\n`)
    return CANNOT_RUN
  }
}

interface Given {
  readonly values: Readonly<Record<string, never>>
  readonly positionals: readonly string[]
}

/** Reads words by the options that are declared; `help` is what lists them. */
export function readWords(declared: ToolOptions, args: readonly string[], help: string): Given {
  const options = Object.fromEntries(
    Object.entries(declared).map(([name, { type, short, multiple = false }]) => [
      name,
      short === undefined ? { type, multiple } : { type, short, multiple },
    ]),
  )
  try {
    // The values have the types that the options say; `tool` gives them to `run`.
    return parseArgs({ args: [...args], options, allowPositionals: true }) as unknown as Given
  } catch (error) {
    const unknown = args.find((arg) => /^--[a-z]/.test(arg) && !Object.hasOwn(options, arg.slice(2).split('=')[0]!))
    const near = unknown && suggest(unknown.slice(2).split('=')[0]!, Object.keys(options))
    const message = error instanceof Error ? error.message.split(/\. To specify|\n/)[0]! : String(error)
    throw new ToolFailure(message, near === undefined ? `${help} lists the options` : `did you mean "--${near}"?`)
  }
}

/** The process's own terminal, or what stands in its place. */
function terminal(): Console {
  watchOutput()
  const { env } = process
  return {
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    input: async () => {
      const pieces: Uint8Array[] = []
      for await (const piece of process.stdin) pieces.push(piece as Uint8Array)
      return Buffer.concat(pieces)
    },
    ask: async (question) => {
      if (!process.stdin.isTTY) return undefined
      const lines = createInterface({ input: process.stdin, output: process.stderr })
      try {
        return await lines.question(question)
      } finally {
        lines.close()
      }
    },
    colours: process.stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    folder: process.cwd(),
    environment: env,
  }
}
