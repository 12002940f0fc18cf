/**
 * The command lines of the project itself (`npm run NAME -- ...`): each is declared, read and explained as tools of the program are
 * (src/tools/frame/). What cannot be done is one line and status 2.
 */

import { suggest } from '../src/config/suggest.ts'
import { helpOf } from '../src/tools/frame/help.ts'
import { readWords } from '../src/tools/frame/run.ts'
import { CANNOT_RUN, type OptionValues, ToolFailure, type ToolOptions, tool } from '../src/tools/frame/tool.ts'

/** What a command says of itself, and what it does. */
export interface Command<O extends ToolOptions> {
  /** How it is called: `npm run bench`, or `node FILE`. npm wants a `--` before words, which need not be said here. */
  readonly called: string
  readonly summary: string
  /** What stands behind that, one line each. */
  readonly usage: readonly string[]
  /** What it needs, and what else decides what it does. */
  readonly about: string
  readonly options: O
  readonly examples: readonly (readonly [words: string, what: string])[]
  /** What the words that are no options may be; without it anything. */
  readonly words?: readonly string[]
  /** Does it; resolves with the exit status. A `ToolFailure` is a sentence and status 2. */
  run(values: OptionValues<O>, words: readonly string[]): number | Promise<number>
}

/** Runs what the command line of this process asks for, and sets its exit status. */
export async function command<const O extends ToolOptions>(
  spec: Command<O>,
  args = process.argv.slice(2),
): Promise<void> {
  const { called, options, words: names } = spec
  try {
    if (args.includes('--help')) {
      const colours = process.stdout.isTTY === true && !process.env['NO_COLOR']
      const usage = spec.usage.map((words) => behind(called, words))
      const examples = spec.examples.map(([words, what]) => [behind(called, words), what] as const)
      const shown = tool({ ...spec, name: called, usage, examples, words: [], run: async () => 0 })
      process.stdout.write(helpOf(shown, colours, called))
      return
    }
    const { values, positionals } = readWords(options, args, `${called} ${behind(called, '--help')}`)
    const unknown = names && positionals.find((word) => !names.includes(word))
    if (unknown !== undefined) throw new ToolFailure(`it does not know "${unknown}"`, hintFor(unknown, names!))
    // They have been read by these options.
    process.exitCode = await spec.run(values as OptionValues<O>, positionals)
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error
    const hint = error.hint === undefined ? '' : `; ${error.hint}`
    process.stderr.write(`${called}: ${error.message}${hint}\n`)
    process.exitCode = CANNOT_RUN
  }
}

/** Words as they stand behind the name of a command. */
function behind(called: string, words: string): string {
  return called.startsWith('npm ') && words !== '' ? `-- ${words}` : words
}

/** Reads the number of an option, which must be above zero. */
export function positive(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value < Number.POSITIVE_INFINITY))
    throw new ToolFailure(`${option} is a number above 0, not "${text}"`)
  return value
}

function hintFor(word: string, names: readonly string[]): string {
  if (names.length === 0) return 'it takes no words but its options'
  const near = suggest(word, names)
  return near === undefined ? `there are: ${names.join(' ')}` : `did you mean "${near}"?`
}
