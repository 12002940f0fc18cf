/** The commands of SSI: include, echo, config, set, if ... endif, block ... endblock. */

import { parseUnsafeUri } from '../../../http/message/unsafe-uri.ts'
import { escapeHtml, escapeUri, type UriParts } from '../../../http/message/uri.ts'
import type { Request } from '../../../http/request/request.ts'
import { MemorySubrequest } from '../../../http/subrequest/memory-body.ts'
import { InPlaceSubrequest, orderedBody } from '../../../http/subrequest/ordered-body.ts'
import type { Subrequest, SubrequestOwner } from '../../../http/subrequest/subrequest.ts'
import { lowerAscii } from '../../../lib/bytes.ts'
import { ERROR } from '../../../log/error-log.ts'
import type { VariableTable } from '../../../value/variables.ts'
import { evaluate, ssiState, ssiVariable, test } from './values.ts'

/** A page while it is worked on: what commands see and change. */
export interface SsiPage extends SubrequestOwner {
  readonly r: Request
  readonly table: VariableTable<Request>
  /** Text and commands have an effect: false inside of a branch that was not chosen, and of a block. */
  output: boolean
  /** A branch of the `if` at hand was chosen. */
  chosen: boolean
  /** Inside of `if`: IN_IF, then IN_ELSE. */
  conditional: number
  /** What is read is the text of the last block. */
  inBlock: boolean
  encoding: 'none' | 'url' | 'entity'
  timeFormat: string
  errorMessage: string
  /** Goes on when this subrequest is over. */
  wait: Subrequest | undefined
  emit(text: string): void
  /** Passes on what the page has said so far: a subrequest's answer comes behind it. */
  pass(): boolean
}

/** Between `if` and `else`. */
const IN_IF = 1
const IN_ELSE = 2

type Params = Readonly<Record<string, string | undefined>>

/** One command; `run` answers whether it went well. */
export interface SsiCommand {
  /** Names of parameters, each with whether it must be there. */
  readonly params: Readonly<Record<string, boolean>>
  /** The least `conditional` it may be used at; 0: anywhere. */
  readonly within: number
  /** Has an effect whatever `output` says. */
  readonly always?: true
  run(page: SsiPage, params: Params): boolean
}

/** All commands by name. */
export const ssiCommands: ReadonlyMap<string, SsiCommand> = new Map<string, SsiCommand>([
  [
    'include',
    { params: { virtual: false, file: false, wait: false, set: false, stub: false }, within: 0, run: include },
  ],
  ['echo', { params: { var: true, default: false, encoding: false }, within: 0, run: echo }],
  ['config', { params: { errmsg: false, timefmt: false }, within: 0, run: config }],
  ['set', { params: { var: true, value: true }, within: 0, run: set }],
  ['if', { params: { expr: true }, within: 0, run: ifFirst }],
  ['elif', { params: { expr: true }, within: IN_IF, run: choose }],
  ['else', { params: {}, within: IN_IF, run: chooseElse }],
  ['endif', { params: {}, within: IN_ELSE, run: endIf }],
  ['block', { params: { name: true }, within: 0, run: block }],
  ['endblock', { params: {}, within: 0, always: true, run: endBlock }],
])

function fail({ r }: SsiPage, message: string): false {
  r.logError(ERROR, message)
  return false
}

// ---- include -------------------------------------------------------------------------------------

const target: UriParts = { uri: '', args: '' }

function include(page: SsiPage, params: Params): boolean {
  const { virtual, file, set: variable, stub } = params
  if (virtual !== undefined && file !== undefined) {
    return fail(page, `inclusion may be either virtual="${virtual}" or file="${file}"`)
  }
  const name = virtual ?? file
  if (name === undefined) return fail(page, 'no parameter in "include" SSI command')
  if (variable !== undefined && stub !== undefined) {
    return fail(page, '"set" and "stub" cannot be used together in "include" SSI command')
  }
  const wait = waits(page, params)
  if (wait === undefined || !locate(page, name)) return false
  const sr = variable === undefined ? inPlace(page, stub) : inMemory(page, variable)
  if (sr === undefined) return false
  page.pass()
  if (!sr.start()) return false
  if (wait || variable !== undefined) page.wait = sr
  return true
}

/** Whether the page waits for the answer; a file is always waited for. Undefined: an error was logged. */
function waits(page: SsiPage, { wait, file }: Params): boolean | undefined {
  if (wait === undefined) return file !== undefined
  if (file !== undefined) {
    fail(page, `"wait" cannot be used with file="${file}"`)
    return undefined
  }
  const word = lowerAscii(wait)
  if (word === 'yes' || word === 'no') return word === 'yes'
  fail(page, `invalid value "${wait}" in the "wait" parameter`)
  return undefined
}

/** Finds out what is included, into `target`. */
function locate(page: SsiPage, name: string): boolean {
  const { r } = page
  const value = evaluate(r, page.table, name)
  if (value === undefined) return false
  // An empty name is the folder of the page; nginx makes a difference when it is the variables that are empty.
  const whole = value.startsWith('/') || (value === '' && name.includes('$'))
  const uri = whole ? value : r.uri.slice(0, r.uri.lastIndexOf('/') + 1) + value
  return parseUnsafeUri(uri, target) || fail(page, `unsafe URI "${target.uri}" was detected`)
}

function inPlace(page: SsiPage, stub: string | undefined): InPlaceSubrequest | undefined {
  const { r } = page
  const sr = new InPlaceSubrequest(r, orderedBody(r)!, target.uri, target.args, page)
  if (stub === undefined) return sr
  const found = ssiState(r).blocks.find(({ name }) => name === stub)
  if (found === undefined) {
    fail(page, `"stub"="${stub}" for "include" not found`)
    return undefined
  }
  sr.stub = Buffer.from(found.text, 'latin1')
  return sr
}

function inMemory(page: SsiPage, variable: string): MemorySubrequest {
  const name = lowerAscii(variable)
  const { variables } = ssiState(page.r)
  if (!variables.has(name)) variables.set(name, '')
  return new MemorySubrequest(page.r, target.uri, target.args, new AnswerVariable(page, name))
}

/** Stores the body of an answer. */
class AnswerVariable implements SubrequestOwner {
  readonly #page: SsiPage
  readonly #name: string

  constructor(page: SsiPage, name: string) {
    this.#page = page
    this.#name = name
  }

  onSubrequestEnd(sr: Request): void {
    const { carrier } = sr
    if (sr.out.status < 300 && carrier instanceof MemorySubrequest) {
      ssiState(sr).variables.set(this.#name, carrier.body.latin1Slice())
    }
    this.#page.onSubrequestEnd(sr)
  }
}

// ---- echo, config, set ---------------------------------------------------------------------------

function echo(page: SsiPage, params: Params): boolean {
  const value = ssiVariable(page.r, page.table, params['var']!) ?? params['default'] ?? '(none)'
  if (value === '') return true
  const { encoding } = params
  if (encoding === 'none' || encoding === 'url' || encoding === 'entity') page.encoding = encoding
  else if (encoding !== undefined) fail(page, `unknown encoding "${encoding}" in the "echo" command`)
  page.emit(encoded(value, page.encoding))
  return true
}

function encoded(value: string, encoding: SsiPage['encoding']): string {
  if (encoding === 'none') return value
  return encoding === 'url' ? escapeUri(value, 'html') : escapeHtml(value)
}

function config(page: SsiPage, { errmsg, timefmt }: Params): boolean {
  if (timefmt !== undefined) page.timeFormat = timefmt
  if (errmsg !== undefined) page.errorMessage = errmsg
  return true
}

function set(page: SsiPage, params: Params): boolean {
  const value = evaluate(page.r, page.table, params['value']!)
  if (value === undefined) return false
  ssiState(page.r).variables.set(lowerAscii(params['var']!), value)
  return true
}

// ---- conditions ----------------------------------------------------------------------------------

function ifFirst(page: SsiPage, params: Params): boolean {
  if (page.conditional !== 0) return fail(page, 'the "if" command inside the "if" command')
  return choose(page, params)
}

function choose(page: SsiPage, params: Params): boolean {
  if (page.chosen) {
    page.output = false
    return true
  }
  const holds = test(page.r, page.table, params['expr']!)
  if (holds === undefined) return false
  page.output = holds
  page.chosen = holds
  page.conditional = IN_IF
  return true
}

function chooseElse(page: SsiPage): boolean {
  page.output = !page.chosen
  page.conditional = IN_ELSE
  return true
}

function endIf(page: SsiPage): boolean {
  page.output = true
  page.chosen = false
  page.conditional = 0
  return true
}

// ---- blocks --------------------------------------------------------------------------------------

function block(page: SsiPage, params: Params): boolean {
  ssiState(page.r).blocks.push({ name: params['name']!, text: '' })
  page.output = false
  page.inBlock = true
  return true
}

function endBlock(page: SsiPage): boolean {
  page.output = true
  page.inBlock = false
  return true
}
