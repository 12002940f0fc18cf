/**
 * ngx_http_charset_filter_module: names the character set of responses, and turns one into another where a
 * `charset_map` says how.
 */
import { flag, raw } from '../../../config/args.ts'
import { type Args, type BlockValue, block, type ConfOf, directive, directives } from '../../../config/directive.ts'
import type { Word } from '../../../config/source.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import { type AttachContext, httpModule } from '../../../http/compile/module.ts'
import { BodyFilter, type BodySink, STABLE } from '../../../http/message/body.ts'
import { MimeSet, mimeTypes } from '../../../http/message/mime-set.ts'
import { UNKNOWN } from '../../../http/message/response-head.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { ERROR } from '../../../log/error-log.ts'
import { literal, type Template } from '../../../value/template.ts'
import { ByteTable, type Recoder, type Recoding, Utf8Table } from './tables.ts'

const HSLI = ['http', 'server', 'location', 'if'] as const
const DEFAULT_TYPES = [
  'text/html',
  'text/xml',
  'text/plain',
  'text/vnd.wap.wml',
  'application/javascript',
  'application/rss+xml',
]

/** A name, or a variable that has one; `off` only where it means something. */
function charsetName(syntax: string): Args<Template> {
  const read: Args<Template>['read'] = ([w], at) => {
    const { text } = w!
    if (!text.startsWith('$')) return literal(text)
    const variable = text.slice(1)
    if (variable === '') return at.fail('invalid variable name "$"', w)
    at.uses?.(variable)
    return { source: text, parts: [{ variable }], constant: undefined, at: w }
  }
  return { syntax, min: 1, max: 1, read }
}

const own = {
  charset: directive({
    in: HSLI,
    args: charsetName('charset | off'),
    default: 'off',
    doc: 'Adds the character set to Content-Type, and recodes the body when source_charset is another.',
  }),
  source_charset: directive({
    in: HSLI,
    args: charsetName('charset'),
    doc: 'The character set of bodies that do not tell theirs.',
  }),
  override_charset: directive({
    in: HSLI,
    args: flag,
    default: 'off',
    doc: 'Recodes also what a back end sent with a character set of its own.',
  }),
  charset_types: directives({
    in: ['http', 'server', 'location'],
    args: mimeTypes(),
    doc: 'Media types that get a character set beside text/html; `*` means all.',
  }),
  charset_map: block({
    in: ['http'],
    args: raw('charset1 charset2', { min: 2, max: 2 }),
    opens: 'charset_map',
    entry: raw('byte bytes', { min: 1 }),
    doc: 'A table between two character sets, one line of two hexadecimal numbers per character; UTF-8 stands second.',
  }),
}
type Conf = ConfOf<typeof own>
type MapBlock = BlockValue<readonly Word[], readonly Word[]>

/** Recodings of the tree by the lower-case names of both sides. */
class Recodings {
  readonly #pairs = new Map<string, Recoding>()
  readonly #names = new Set<string>()
  /** Pairs that were reported as missing. */
  readonly reported = new Set<string>()

  name(charset: string): void {
    this.#names.add(charset.toLowerCase())
  }

  knows(charset: string): boolean {
    return this.#names.has(charset.toLowerCase())
  }

  get empty(): boolean {
    return this.#pairs.size === 0
  }

  add(from: string, to: string, forth: Recoding, back: Recoding): void {
    this.#pairs.set(`${from} ${to}`, forth)
    this.#pairs.set(`${to} ${from}`, back)
  }

  find(from: string, to: string): Recoding | undefined {
    return this.#pairs.get(`${from.toLowerCase()} ${to.toLowerCase()}`)
  }
}

interface CharsetConf {
  /** Undefined when off. */
  readonly charset: Text | undefined
  readonly source: Text | undefined
  readonly override: boolean
  readonly types: MimeSet
  readonly recodings: Recodings
}

const recodingsOf = (tree: HttpTree): Recodings => tree.shared('charset recodings', () => new Recodings())

/** The module list's entry. */
export const charsetModule = httpModule({
  name: 'http_charset',
  doc: 'Names and changes the character set of responses.',
  directives: own,
  init(conf, tree) {
    for (const map of conf.charset_map) readMap(map, recodingsOf(tree), tree)
  },
  declare(conf, tree) {
    for (const name of [conf.charset, conf.source_charset]) {
      if (name?.constant !== undefined && name.constant !== 'off') recodingsOf(tree).name(name.constant)
    }
  },
  attach(conf, plan, at) {
    const recodings = recodingsOf(at)
    const off = conf.charset.constant === 'off'
    // Without a table nothing can be recoded for a back end or a main request either.
    if (off && recodings.empty) return
    if (!off) checkMap(conf, recodings, at)
    plan.headerFilter(setCharset, {
      charset: off ? undefined : at.text(conf.charset),
      source: conf.source_charset && at.text(conf.source_charset),
      override: conf.override_charset,
      types:
        conf.charset_types.length === 0 ? new MimeSet([DEFAULT_TYPES]) : new MimeSet(conf.charset_types, 'text/html'),
      recodings,
    })
  },
})

/** Two fixed names must have a table between them: found when the configuration loads. */
function checkMap(conf: Conf, recodings: Recodings, at: AttachContext): void {
  const to = conf.charset.constant
  const from = conf.source_charset?.constant
  if (to === undefined || from === undefined || to.toLowerCase() === from.toLowerCase()) return
  if (recodings.find(from, to) !== undefined || recodings.reported.has(`${from} ${to}`)) return
  recodings.reported.add(`${from} ${to}`)
  at.fail(`no "charset_map" between the charsets "${from}" and "${to}"`)
}

function readMap(map: MapBlock, recodings: Recodings, tree: HttpTree): void {
  const [source, target] = map.args.map((w) => w.text) as [string, string]
  const [from, to] = [source.toLowerCase(), target.toLowerCase()]
  if (from === to) {
    return tree.fail(`"charset_map" between the same charsets "${source}" and "${target}"`, map.at)
  }
  if (from === 'utf-8') {
    return tree.fail('"charset_map" with "utf-8" charset should be given in the second column', map.at)
  }
  if (recodings.find(from, to) !== undefined) {
    return tree.fail(`duplicate "charset_map" between "${source}" and "${target}"`, map.at)
  }
  recodings.name(source)
  recodings.name(target)
  const table = to === 'utf-8' ? new Utf8Table() : new ByteTable()
  for (const { value, at } of map.entries) {
    const problem = readLine(table, value)
    if (problem !== '') tree.fail(problem, at)
  }
  recodings.add(from, to, table.forth, table.back)
}

/** Reads one line of a table; answers what is wrong with it. */
function readLine(table: ByteTable | Utf8Table, words: readonly Word[]): string {
  const [first, second] = words
  if (first === undefined || second === undefined || words.length !== 2) return 'invalid parameters number'
  if (!/^[0-9a-f]{1,2}$/i.test(first.text)) return `invalid value "${first.text}"`
  const from = Number.parseInt(first.text, 16)
  if (table instanceof Utf8Table) {
    const good = /^(?:[0-9a-f]{2}){1,3}$/i.test(second.text) && table.set(from, Buffer.from(second.text, 'hex'))
    return good ? '' : `invalid value "${second.text}"`
  }
  if (!/^[0-9a-f]{1,2}$/i.test(second.text)) return `invalid value "${second.text}"`
  table.set(from, Number.parseInt(second.text, 16))
  return ''
}

function setCharset(r: Request, conf: CharsetConf): void {
  const { out } = r
  if (out.contentType === '') return
  const present = out.charset === '' ? parameterOf(out.contentType) : out.charset
  const to = r === r.main ? targetOf(r, conf, present) : r.main.out.charset
  if (to === '') return
  const from = present !== '' ? present : (conf.source?.(r) ?? '')
  if (from === '' || from.toLowerCase() === to.toLowerCase()) return nameCharset(r, to)
  if (conf.recodings.knows(from) && conf.recodings.knows(to) && out.contentEncoding !== '') return
  const recoding = conf.recodings.find(from, to)
  if (recoding === undefined) {
    r.logError(ERROR, `no "charset_map" between the charsets "${from}" and "${to}"`)
    return
  }
  nameCharset(r, to)
  if (!recoding.sameLength && r === r.main) {
    out.contentLength = UNKNOWN
    out.seekable = false
  }
  r.addBodyFilter((next) => new RecodedBody(next, recoding.start()))
}

/** The character set that the response is to have; empty when nothing is to be done. */
function targetOf(r: Request, conf: CharsetConf, present: string): string {
  const { overrideCharset } = r.out
  if (overrideCharset !== '') {
    if (conf.recodings.knows(overrideCharset)) return overrideCharset
    r.logError(ERROR, `unknown charset "${overrideCharset}" to override`)
    return ''
  }
  if (conf.charset === undefined) return ''
  if (present !== '' ? !conf.override : !conf.types.has(r.out.contentType)) return ''
  return conf.charset(r)
}

const PARAMETER = /\s*;\s*charset="?([^";\s]*)"?/i

/** The character set that a Content-Type itself tells, or empty. */
function parameterOf(contentType: string): string {
  return contentType.includes(';') ? (PARAMETER.exec(contentType)?.[1] ?? '') : ''
}

/** A redirect is not labelled: old browsers took its label for the next page's. */
function nameCharset(r: Request, charset: string): void {
  if (r !== r.main) return
  const { out } = r
  if (out.contentType.includes(';')) out.contentType = out.contentType.replace(PARAMETER, '')
  out.charset = out.status === 301 || out.status === 302 ? '' : charset
}

/** Passes on a body in another character set. */
class RecodedBody extends BodyFilter {
  readonly #recoder: Recoder

  constructor(next: BodySink, recoder: Recoder) {
    super(next)
    this.#recoder = recoder
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const recoded = bytes.length === 0 ? bytes : this.#recoder.recode(bytes)
    if (recoded.length === 0 && (flags & ~STABLE) === 0) return true
    return this.next.write(recoded, flags | STABLE)
  }
}
