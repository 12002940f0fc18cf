/**
 * What the directives of headers-more have in common (`more_set_headers` and its kin, of OpenResty's
 * ngx_http_headers_more_filter_module): they set, replace and clear any field
 * of responses, whatever their status, and of requests before they are passed on. Unlike `add_header`, what an outer
 * block says holds too, and comes first.
 *
 * What differs: fields that say how long a message is (Content-Length of requests, Transfer-Encoding, Connection) are
 * refused, because two parties who disagree about that are how requests are smuggled.
 */
import type { Args, Directives, ReadContext } from '../../../config/directive.ts'
import type { Scope } from '../../../config/scope.ts'
import type { Word } from '../../../config/source.ts'
import type { AttachContext } from '../../../http/compile/module.ts'
import { hashName } from '../../../http/message/field-names.ts'
import { MimeSet } from '../../../http/message/mime-set.ts'
import type { Text } from '../../../http/request/plan.ts'
import { lowerAscii } from '../../../lib/bytes.ts'
import { readTemplate, type Template } from '../../../value/template.ts'

/** Where the directives may stand. */
export const HSLI = ['http', 'server', 'location', 'if'] as const
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Fields that say how long a message is and what becomes of the connection. */
export const FRAMING: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
])

/** One field as written; without a value it is cleared. */
interface FieldSpec {
  readonly name: string
  readonly value: Template | undefined
}

/** One directive as written. */
export interface Command {
  readonly fields: readonly FieldSpec[]
  /** Empty: any. */
  readonly statuses: readonly number[]
  readonly types: readonly string[]
  /** `-r`: only a field that is there. */
  readonly replaces: boolean
  /** `-a`: beside those that are there. */
  readonly adds: boolean
}

/** Which options a directive has, and whether its fields have values. */
interface Form {
  readonly options: string
  readonly clears: boolean
  readonly request: boolean
}

const OPTION_TEXTS: Readonly<Record<string, string>> = {
  '-s': '[-s status ...]',
  '-t': '[-t type ...]',
  '-r': '[-r]',
  '-a': '[-a]',
}

/** Reads options and fields of one of the directives. */
export function commandArgs(form: Form): Args<Command> {
  const options = Object.keys(OPTION_TEXTS).filter((option) => form.options.includes(option.charAt(1)))
  return {
    syntax: [...options.map((option) => OPTION_TEXTS[option]!), form.clears ? 'name ...' : "'name: value' ..."].join(
      ' ',
    ),
    min: 1,
    max: Number.POSITIVE_INFINITY,
    read: (words, at) => readCommand(words, form, options, at),
  }
}

function readCommand(words: readonly Word[], form: Form, options: readonly string[], at: ReadContext): Command {
  const fields: FieldSpec[] = []
  const statuses: number[] = []
  const types: string[] = []
  const flags = new Set<string>()
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!word.text.startsWith('-')) {
      fields.push(readField(word, form, at))
      continue
    }
    if (!options.includes(word.text)) at.fail(`invalid option name: "${word.text}"`, word)
    if (word.text === '-r' || word.text === '-a') {
      flags.add(word.text)
      continue
    }
    const list = words[++i]
    if (list === undefined) return at.fail(`option "${word.text}" takes an argument`, word)
    for (const one of list.text.split(/\s+/).filter((text) => text !== '')) {
      if (word.text === '-t') types.push(one.toLowerCase())
      else if (/^[1-9]\d\d$/.test(one)) statuses.push(Number(one))
      else at.fail(`invalid digit "${one}" found in the status code list "${list.text}"`, list)
    }
  }
  if (fields.length === 0) at.fail('no fields are given')
  return { fields, statuses, types, replaces: flags.has('-r'), adds: flags.has('-a') }
}

function readField(word: Word, { clears, request }: Form, at: ReadContext): FieldSpec {
  const colon = word.text.indexOf(':')
  const name = (colon < 0 ? word.text : word.text.slice(0, colon)).trim()
  const value = colon < 0 || clears ? '' : word.text.slice(colon + 1).trim()
  const plain = clears ? name.replace(/\*$/, '') : name
  if (!NAME.test(plain) && !(clears && name === '*')) at.fail(`invalid header name "${name}"`, word)
  const lower = name.toLowerCase()
  if (FRAMING.has(lower) || (request && lower === 'content-length')) {
    at.fail(`"${name}" belongs to the connection and cannot be changed`, word)
  }
  return { name, value: value === '' ? undefined : readTemplate({ ...word, text: value }, at) }
}

/** A field compiled; `value` is undefined when it is cleared. */
export interface Field {
  readonly name: string
  readonly lower: string
  readonly hash: number
  /** What names begin with that a cleared `X-*` stands for; undefined: just this name. */
  readonly prefix: string | undefined
  readonly value: Text | undefined
}

/** One directive compiled. */
export interface Compiled {
  readonly fields: readonly Field[]
  readonly statuses: ReadonlySet<number> | undefined
  readonly types: MimeSet | undefined
  readonly replaces: boolean
  readonly adds: boolean
}

/** The commands that hold in a block: those of the blocks around it come first. */
export function commandsOf<D extends Directives>(scope: Scope, own: D, at: AttachContext): Compiled[] {
  const outer = scope.parent === undefined ? [] : commandsOf(scope.parent, own, at)
  const set = scope.ordered(own).map(({ value }) => compile(value as Command, at)) // all of them are read by commandArgs
  return [...outer, ...set]
}

function compile({ fields, statuses, types, replaces, adds }: Command, at: AttachContext): Compiled {
  return {
    fields: fields.map(({ name, value }): Field => {
      const lower = lowerAscii(name)
      const prefix = name.endsWith('*') && value === undefined ? lower.slice(0, -1) : undefined
      return { name, lower, hash: hashName(lower), prefix, value: value && at.text(value) }
    }),
    statuses: statuses.length === 0 ? undefined : new Set(statuses),
    types: types.length === 0 ? undefined : new MimeSet([types]),
    replaces,
    adds,
  }
}
