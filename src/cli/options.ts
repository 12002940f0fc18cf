/** nginx's command line, letter by letter: options combine (`-tq`), and values follow directly or as the next word. */
import { type SignalCommand, signalOf } from '../process/signals.ts'

/** The command line, read. */
export interface Options {
  help: boolean
  version: boolean
  configure: boolean
  test: boolean
  dump: boolean
  quiet: boolean
  prefix: string | undefined
  conf: string | undefined
  /** `stderr` stands for itself. */
  errorLog: string | undefined
  globals: string
  signal: SignalCommand | undefined
}

const WANTED = {
  p: 'option "-p" requires directory name',
  e: 'option "-e" requires file name',
  c: 'option "-c" requires file name',
  g: 'option "-g" requires parameter',
  s: 'option "-s" requires parameter',
  l: 'option "-l" requires parameter',
} as const

/** Reads the words after the program's name; the result is nginx's error text when one is wrong. */
export function parseOptions(words: readonly string[]): Options | string {
  const options: Options = {
    help: false,
    version: false,
    configure: false,
    test: false,
    dump: false,
    quiet: false,
    prefix: undefined,
    conf: undefined,
    errorLog: undefined,
    globals: '',
    signal: undefined,
  }
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!word.startsWith('-')) return `invalid option: "${word}"`
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!
      if (Object.hasOwn(WANTED, letter)) {
        const value = at + 1 < word.length ? word.slice(at + 1) : words[++i]
        const error = setValue(options, letter as keyof typeof WANTED, value)
        if (error !== undefined) return error
        break
      }
      if (!setFlag(options, letter)) return `invalid option: "${letter}"`
    }
  }
  return options
}

function setFlag(options: Options, letter: string): boolean {
  if (letter === '?' || letter === 'h') options.help = options.version = true
  else if (letter === 'v') options.version = true
  else if (letter === 'V') options.version = options.configure = true
  else if (letter === 't') options.test = true
  else if (letter === 'T') options.test = options.dump = true
  else if (letter === 'q') options.quiet = true
  else return false
  return true
}

function setValue(options: Options, letter: keyof typeof WANTED, value: string | undefined): string | undefined {
  if (value === undefined) return WANTED[letter]
  if (letter === 'p') options.prefix = value
  else if (letter === 'e') options.errorLog = value
  else if (letter === 'c') options.conf = value
  else if (letter === 'g') options.globals = value
  else if (letter === 'l') return 'option "-l" (control API) is not supported yet by Viaduct'
  else if (signalOf(value) === undefined) return `invalid option: "-s ${value}"`
  else options.signal = value as SignalCommand
  return undefined
}
