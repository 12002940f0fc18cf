/**
 * Configuration files as crossplane's JSON (github.com/nginxinc/crossplane): what was written, one entry a file, with
 * line numbers; errors are collected and the reading goes on. Which directives there are and where, the declarations say.
 */

import { readFileSync } from 'node:fs'
import { flag } from '../../config/args.ts'
import type { Context } from '../../config/directive.ts'
import { Registry } from '../../config/registry.ts'
import { modules } from '../../modules/index.ts'
import { textReader } from '../frame/files.ts'
import { LexError, type Piece, pieces } from './lex.ts'

/** A directive, or a comment (`directive` is `#`). */
export interface PlainStatement {
  readonly file?: string
  readonly directive: string
  readonly line: number
  args: string[]
  includes?: number[]
  block?: PlainStatement[]
  readonly comment?: string
}

/** What went wrong. */
interface PlainError {
  readonly error: string
  readonly line: number | null
}

/** One file. */
export interface PlainFile {
  readonly file: string
  status: 'ok' | 'failed'
  readonly errors: PlainError[]
  parsed: PlainStatement[]
}

/** All of it. */
export interface Payload {
  status: 'ok' | 'failed'
  readonly errors: (PlainError & { readonly file: string })[]
  config: PlainFile[]
}

/** crossplane's options. */
export interface PlainOptions {
  readonly comments: boolean
  readonly combine: boolean
  readonly single: boolean
  readonly strict: boolean
  readonly ignore: readonly string[]
}

/** Reads a file and those that it includes. */
export function parsePlain(file: string, folder: string, options: PlainOptions): Payload {
  const payload = new Parser(file, folder, options).parse()
  return options.combine ? combine(payload) : payload
}

/** undefined: nothing is known of what may stand here. */
type Place = Context | undefined

const FLAGS = flag.syntax

class Parser {
  readonly #options: PlainOptions
  readonly #folder: string
  readonly #confFolder: string
  readonly #registry = new Registry(modules)
  readonly #payload: Payload = { status: 'ok', errors: [], config: [] }
  readonly #files: { readonly name: string; readonly place: Place }[]
  readonly #index: Map<string, number>

  constructor(file: string, folder: string, options: PlainOptions) {
    this.#options = options
    this.#folder = folder
    this.#confFolder = file.includes('/') ? file.slice(0, file.lastIndexOf('/')).replace(/(?<=.)\/+$/, '') || '/' : ''
    this.#files = [{ name: file, place: 'main' }]
    this.#index = new Map([[file, 0]])
  }

  parse(): Payload {
    // The list grows by what is included.
    for (const { name, place } of this.#files) {
      const file: PlainFile = { file: name, status: 'ok', errors: [], parsed: [] }
      try {
        file.parsed = this.#block(file, pieces(this.#read(name)), place)
      } catch (error) {
        if (error instanceof LexError) this.#fail(file, `${error.message} in ${name}:${error.line}`, error.line)
        else this.#fail(file, systemError(error, name), null)
      }
      this.#payload.config.push(file)
    }
    return this.#payload
  }

  #read(name: string): string {
    return new TextDecoder().decode(readFileSync(this.#full(name)))
  }

  #full(name: string): string {
    return name.startsWith('/') ? name : `${this.#folder}/${name}`
  }

  #block(file: PlainFile, source: Generator<Piece>, place: Place): PlainStatement[] {
    const parsed: PlainStatement[] = []
    for (let piece = take(source); piece !== undefined; piece = take(source)) {
      if (isMark(piece, '}')) break
      const { line } = piece
      const start = this.#options.combine ? { file: file.file } : {}
      if (piece.text.startsWith('#') && !piece.quoted) {
        if (this.#options.comments)
          parsed.push({ ...start, directive: '#', line, args: [], comment: piece.text.slice(1) })
        continue
      }
      const statement: PlainStatement = { ...start, directive: piece.text, line, args: [] }
      const comments: string[] = []
      const end = words(source, statement.args, comments)
      // crossplane fails here without a word; these are nginx's.
      if (end === undefined) throw new LexError('unexpected end of file, expecting ";" or "}"', line)
      if (this.#options.ignore.includes(statement.directive)) {
        if (isMark(end, '{')) skipBlock(source)
        continue
      }
      if (statement.directive === 'if') statement.args = withoutParentheses(statement.args)
      const fault = this.#fault(statement, end.text, place)
      if (fault !== undefined) {
        this.#fail(file, `${fault} in ${file.file}:${line}`, line)
        if (!fault.endsWith(' is not terminated by ";"')) continue
        if (isMark(end, '}')) break
        skipBlock(source)
        continue
      }
      if (!this.#options.single && statement.directive === 'include') this.#include(file, statement, place)
      if (isMark(end, '{')) statement.block = this.#block(file, source, this.#inside(statement.directive, place))
      parsed.push(statement)
      if (!this.#options.comments) continue
      for (const comment of comments) parsed.push({ ...start, directive: '#', line, args: [], comment })
    }
    return parsed
  }

  #include(file: PlainFile, statement: PlainStatement, place: Place): void {
    const [name = ''] = statement.args
    const pattern = name.startsWith('/') || this.#confFolder === '' ? name : `${this.#confFolder}/${name}`
    statement.includes = []
    for (const found of this.#expand(file, pattern, statement.line)) {
      let index = this.#index.get(found)
      if (index === undefined) {
        index = this.#files.length
        this.#index.set(found, index)
        this.#files.push({ name: found, place })
      }
      statement.includes.push(index)
    }
  }

  #expand(file: PlainFile, pattern: string, line: number): readonly string[] {
    if (/[*?[]/.test(pattern)) {
      const prefix = pattern.startsWith('/') ? '' : `${this.#folder}/`
      return textReader.glob(prefix + pattern).map((name) => name.slice(prefix.length))
    }
    try {
      readFileSync(this.#full(pattern))
      return [pattern]
    } catch (error) {
      this.#fail(file, systemError(error, pattern), line)
      return []
    }
  }

  #fault({ directive, args }: PlainStatement, end: string, place: Place): string | undefined {
    if (directive === 'include') return undefined
    const known = this.#registry.named(directive).length > 0 || this.#registry.catalogued(directive) !== undefined
    if (this.#options.strict && !known) return `unknown directive "${directive}"`
    if (place === undefined || !known) return undefined
    const declared = this.#registry.find(directive, place)
    if (declared === undefined) {
      const allowed = this.#registry.catalogued(directive)?.includes(place) === true
      return allowed ? undefined : `"${directive}" directive is not allowed here`
    }
    if (declared.kind === 'block' && end !== '{') return `directive "${directive}" has no opening "{"`
    if (declared.kind !== 'block' && end !== ';') return `directive "${directive}" is not terminated by ";"`
    const { min, max, syntax } = declared.args
    // The words in the parentheses of `if` count otherwise.
    if (directive === 'if' || (args.length >= min && args.length <= max)) {
      const isFlag = syntax === FLAGS && !/^o(?:n|ff)$/i.test(args[0] ?? '')
      return isFlag ? `invalid value "${args[0]}" in "${directive}" directive, it must be "on" or "off"` : undefined
    }
    return `invalid number of arguments in "${directive}" directive`
  }

  #inside(directive: string, place: Place): Place {
    if (place === undefined) return undefined
    const declared = this.#registry.find(directive, place)
    return declared?.entry === undefined ? declared?.opens : undefined
  }

  #fail(file: PlainFile, error: string, line: number | null): void {
    file.status = this.#payload.status = 'failed'
    file.errors.push({ error, line })
    this.#payload.errors.push({ file: file.file, error, line })
  }
}

function take(source: Generator<Piece>): Piece | undefined {
  const { done, value } = source.next()
  return done ? undefined : value
}

function isMark({ text, quoted }: Piece, mark: string): boolean {
  return !quoted && text === mark
}

/** Takes the words after a directive's name; the result is what ends them. */
function words(source: Generator<Piece>, args: string[], comments: string[]): Piece | undefined {
  for (let piece = take(source); piece !== undefined; piece = take(source)) {
    if (!piece.quoted && (piece.text === '{' || piece.text === ';' || piece.text === '}')) return piece
    if (piece.text.startsWith('#') && !piece.quoted) comments.push(piece.text.slice(1))
    else args.push(piece.text)
  }
  return undefined
}

function skipBlock(source: Generator<Piece>): void {
  let depth = 1
  for (let piece = take(source); piece !== undefined && depth > 0; piece = depth > 0 ? take(source) : undefined) {
    if (isMark(piece, '{')) depth++
    else if (isMark(piece, '}')) depth--
  }
}

function withoutParentheses(args: readonly string[]): string[] {
  const list = [...args]
  const last = list.length - 1
  if (last < 0 || !list[0]!.startsWith('(') || !list[last]!.endsWith(')')) return list
  list[0] = list[0]!.slice(1).trimStart()
  list[last] = list[last]!.slice(0, -1).trimEnd()
  return list.slice(list[0] === '' ? 1 : 0, list[last] === '' ? last : last + 1)
}

/** As Python words it. */
function systemError(error: unknown, name: string): string {
  const { errno = 0, code } = error as NodeJS.ErrnoException
  const texts: Readonly<Record<string, string>> = {
    ENOENT: 'No such file or directory',
    EACCES: 'Permission denied',
    EISDIR: 'Is a directory',
  }
  return `[Errno ${-errno}] ${texts[code ?? ''] ?? code}: '${name}'`
}

/** Puts what is included in the place of the includes. */
function combine(payload: Payload): Payload {
  const { status, errors, config } = payload
  const expand = (block: readonly PlainStatement[]): PlainStatement[] =>
    block.flatMap((statement) => {
      if (statement.block !== undefined) statement.block = expand(statement.block)
      return statement.includes?.flatMap((index) => expand(config[index]!.parsed)) ?? [statement]
    })
  const [first] = config
  const failed = config.some((file) => file.status === 'failed')
  const all: PlainFile = {
    file: first!.file,
    status: failed ? 'failed' : 'ok',
    errors: config.flatMap((file) => file.errors),
    parsed: expand(first!.parsed),
  }
  return { status, errors, config: [all] }
}
