/**
 * The parameters that an application behind FastCGI, uwsgi or SCGI gets: those of the configuration, then the client's
 * fields as HTTP_NAME, unless a parameter of that name is there (ngx_http_fastcgi_init_params). How they are written down
 * is the protocol's affair.
 */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import type { Args } from '../../../config/directive.ts'
import { parseTemplate, readTemplate, type Template } from '../../../value/template.ts'
import type { AttachContext } from '../../compile/module.ts'
import { hashName } from '../../message/field-names.ts'
import type { HeaderTable } from '../../message/header-table.ts'
import type { Text } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'

/** One `fastcgi_param` or its like. */
export interface CgiParam {
  readonly name: string
  readonly value: Template
  readonly ifNotEmpty: boolean
}

/** Reads it. */
export const cgiParam: Args<CgiParam> = mapped(
  raw('parameter value [if_not_empty]', { min: 2, max: 3 }),
  ([name, value, condition], _, at): CgiParam => {
    if (condition !== undefined && condition.text !== 'if_not_empty') {
      at.fail(`invalid parameter "${condition.text}"`, condition)
    }
    return { name: name!.text, value: readTemplate(value!, at), ifNotEmpty: condition !== undefined }
  },
)

/** Takes parameters, one after the other. */
export interface ParamSink {
  add(name: string, value: string): void
}

/** Sent unless the configuration sets it: the host that was asked for, with its port. */
const HOST = 'HTTP_HOST'
const HOST_VALUE = '$host$is_request_port$request_port'
const HTTP = 'HTTP_'
/** Programs may take it for the address of a proxy, which a client must not choose (httpoxy). */
const PROXY = 'HTTP_PROXY'
const COOKIE = hashName('cookie')
/** Names of fields come from clients: so many are remembered. */
const NAMES_MAX = 512

const METHOD = 'REQUEST_METHOD'
/** What a request gets whose response is to be kept: it is asked for whole, and without the client's conditions. */
const KEPT_VALUES: readonly (readonly [name: string, value: string])[] = [
  ['HTTP_IF_MODIFIED_SINCE', '$upstream_cache_last_modified'],
  ['HTTP_IF_UNMODIFIED_SINCE', ''],
  ['HTTP_IF_NONE_MATCH', '$upstream_cache_etag'],
  ['HTTP_IF_MATCH', ''],
  ['HTTP_RANGE', ''],
  ['HTTP_IF_RANGE', ''],
]

interface Param {
  readonly name: string
  readonly value: Text
  readonly ifNotEmpty: boolean
  /** It is the client's method, in whose place the cache may ask with another one. */
  readonly isMethod: boolean
}

/** What one kind of request comes with. */
interface ParamList {
  readonly params: readonly Param[]
  /** Names that the client's fields must not have; undefined: none of those is sent. */
  readonly replaced: ReadonlySet<string> | undefined
}

/** Compiles what a location sends, the client's fields only with `passFields`; with `caching` responses may be kept. */
export function compileParams(
  given: readonly CgiParam[],
  passFields: boolean,
  caching: boolean,
  at: AttachContext,
): CgiParams {
  const host: readonly (readonly [string, string])[] = [[HOST, HOST_VALUE]]
  const plain = compileList(given, host, passFields, at)
  return new CgiParams(plain, caching ? compileList(given, [...host, ...KEPT_VALUES], passFields, at) : plain)
}

function compileList(
  given: readonly CgiParam[],
  defaults: readonly (readonly [string, string])[],
  passFields: boolean,
  at: AttachContext,
): ParamList {
  const set = new Set(given.map(({ name }) => name.toUpperCase()))
  const missing = defaults
    .filter(([name]) => !set.has(name))
    .map(([name, value]) => ({ name, value: parseTemplate(value, unreachable), ifNotEmpty: true }))
  const all = [...given, ...missing]
  const replaced = new Set([PROXY])
  for (const { name } of all) if (isField(name)) replaced.add(name.toUpperCase())
  const params = all
    .filter(({ name, value }) => !isField(name) || value.constant !== '')
    .map(({ name, value, ifNotEmpty }) => {
      const isMethod = name === METHOD && value.source === '$request_method'
      return { name, value: at.text(value), ifNotEmpty, isMethod }
    })
  return { params, replaced: passFields ? replaced : undefined }
}

/** It stands for a field of the client. */
function isField(name: string): boolean {
  return name.length > HTTP.length && name.startsWith(HTTP)
}

function unreachable(message: string): never {
  throw new Error(message)
}

/** Tells whether the application learns the length of a body, which then must be known before it is sent. */
export function tellsLength(given: readonly CgiParam[]): boolean {
  return given.some(({ name, value }) => name === 'CONTENT_LENGTH' && value.constant !== '')
}

/** What a location sends. */
export class CgiParams {
  readonly #plain: ParamList
  readonly #kept: ParamList

  /** `kept` is for requests whose response is to be kept. */
  constructor(plain: ParamList, kept: ParamList) {
    this.#plain = plain
    this.#kept = kept
  }

  /** Hands all that a request comes with to `to`. */
  write(r: Request, to: ParamSink): void {
    const conversation = r.conversation
    const { params, replaced } = conversation?.keeping === true ? this.#kept : this.#plain
    const method = conversation?.methodAsked ?? ''
    for (let i = 0; i < params.length; i++) {
      const { name, value, ifNotEmpty, isMethod } = params[i]!
      const text = isMethod && method !== '' ? method : value(r)
      if (text !== '' || !ifNotEmpty) to.add(name, text)
    }
    if (replaced !== undefined) writeFields(r.headers, replaced, to)
  }
}

function writeFields(table: HeaderTable, replaced: ReadonlySet<string>, to: ParamSink): void {
  for (let i = 0; i < table.count; i++) {
    if (table.hidden(i)) continue
    const name = paramName(table.name(i))
    if (replaced.has(name) || repeats(table, i)) continue
    to.add(name, wholeValue(table, i))
  }
}

/** An earlier field has the same name: it took this value along. */
function repeats(table: HeaderTable, index: number): boolean {
  const hash = table.hash(index)
  for (let i = 0; i < index; i++) {
    if (table.hash(i) === hash && !table.hidden(i) && table.nameIs(i, table.lowerName(index))) return true
  }
  return false
}

/** The values of all fields of that name in one (ngx_http_link_multi_headers). */
function wholeValue(table: HeaderTable, index: number): string {
  const hash = table.hash(index)
  let value = table.value(index)
  for (let i = index + 1; i < table.count; i++) {
    if (table.hash(i) !== hash || table.hidden(i) || !table.nameIs(i, table.lowerName(index))) continue
    value += (hash === COOKIE ? '; ' : ', ') + table.value(i)
  }
  return value
}

const names = new Map<string, string>()

/** `X-Name` becomes `HTTP_X_NAME`. */
function paramName(field: string): string {
  const known = names.get(field)
  if (known !== undefined) return known
  const name = HTTP + field.replace(/[-a-z]/g, upper)
  if (names.size < NAMES_MAX) names.set(field, name)
  return name
}

function upper(char: string): string {
  return char === '-' ? '_' : char.toUpperCase()
}
