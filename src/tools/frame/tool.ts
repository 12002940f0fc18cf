/**
 * What a tool is: a word before nginx's command line (`viaduct fmt ...`), with its options, examples and exit status:
 * 0 fine, 1 something was found, 2 it could not run. Help, completion and the reading of words come from the declaration.
 */

/** An option as node:util's `parseArgs` takes it, with what help and completion say about it. */
export interface ToolOption {
  readonly type: 'boolean' | 'string'
  readonly short?: string
  readonly multiple?: boolean
  /** Name of the value in help: `PORT`. */
  readonly value?: string
  /** What the value may be, for completion. */
  readonly choices?: readonly string[]
  readonly help: string
}

/** The options of a tool by their long names. */
export type ToolOptions = Readonly<Record<string, ToolOption>>

/** The values that were given. */
export type OptionValues<O extends ToolOptions> = {
  readonly [K in keyof O]:
    | (O[K]['type'] extends 'boolean' ? boolean : O[K]['multiple'] extends true ? string[] : string)
    | undefined
}

/** Where a tool reads and writes; tests give their own. */
export interface Console {
  out(text: string): void
  error(text: string): void
  /** All of standard input. */
  input(): Promise<Uint8Array>
  /** Asks at the terminal; undefined when there is none. */
  ask(question: string): Promise<string | undefined>
  readonly colours: boolean
  /** Somebody sits at the terminal. */
  readonly interactive: boolean
  readonly folder: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** The options that a tool declares. */
export interface ToolSpec<O extends ToolOptions> {
  readonly name: string
  /** One line for the overview. */
  readonly summary: string
  /** What stands after the name, one line each: `[-w | --check] FILE ...`. */
  readonly usage: readonly string[]
  /** What the help says after the usage. */
  readonly about: string
  readonly options: O
  readonly examples: readonly (readonly [words: string, what: string])[]
  /** What the words that are no options may be, for completion. */
  readonly words?: 'files' | 'folders' | readonly string[]
  run(values: OptionValues<O>, words: readonly string[], console: Console, tools: readonly ToolEntry[]): Promise<number>
}

/** A tool that is not loaded yet; its name and summary are those of its declaration. */
export interface ToolEntry {
  readonly name: string
  readonly summary: string
  load(): Promise<Tool>
}

/** A tool with the types of its options erased. */
export type Tool = ToolSpec<ToolOptions>

/** Declares a tool; the types of its values come from its options. */
export function tool<const O extends ToolOptions>(spec: ToolSpec<O>): Tool {
  // Its `run` is only ever called with what `parseArgs` has read by its own options.
  return spec as unknown as Tool
}

/** Ends a tool that cannot do what was asked of it: shown as it is, exit status 2. */
export class ToolFailure extends Error {
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

/** The exit statuses of tools. */
export const FINE = 0
export const FOUND = 1
export const CANNOT_RUN = 2
