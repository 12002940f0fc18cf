/** ngx_http_referer_module: `$invalid_referer` is `1` for requests that come from other sites' pages. */
import { tableSize } from '../../config/args.ts'
import { type Args, directive, directives } from '../../config/directive.ts'
import type { Word } from '../../config/source.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import { hashName } from '../../http/message/field-names.ts'
import type { LocationConf } from '../../http/request/location.ts'
import type { Request } from '../../http/request/request.ts'
import { structure } from '../../http/settings/core-directives.ts'
import { HostTable } from '../../lib/host-table.ts'
import { compilePattern, type Pattern } from '../../value/regex.ts'

const REFERER = hashName('referer')
/** Shorter texts are no URL of another site: the length of `http://i.ru`. */
const URL_MIN = 11
const HOST_MAX = 256
const NO_HOSTS =
  'the "none" or "blocked" referers are specified in the "valid_referers" directive without any valid referer'

type Referer =
  | { readonly kind: 'none' }
  | { readonly kind: 'blocked' }
  | { readonly kind: 'server_names' }
  | { readonly kind: 'regex'; readonly pattern: Pattern }
  | { readonly kind: 'host'; readonly host: string; readonly uri: string; readonly word: Word }

const referersArgs: Args<readonly Referer[]> = {
  syntax: 'none | blocked | server_names | string ...',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read: (words, at) =>
    words.map((word): Referer => {
      const { text } = word
      if (text === '') return at.fail(`invalid referer "${text}"`, word)
      if (text === 'none' || text === 'blocked' || text === 'server_names') return { kind: text }
      if (text === '~') return at.fail(`empty regex in "${text}"`, word)
      if (text.startsWith('~')) {
        const pattern = compilePattern(text.slice(1), { caseless: true }, (message) => at.fail(message, word))
        return { kind: 'regex', pattern }
      }
      const host = text
      const slash = host.indexOf('/')
      return slash < 0
        ? { kind: 'host', host, uri: '', word }
        : { kind: 'host', host: host.slice(0, slash), uri: host.slice(slash), word }
    }),
}

const hash = { withoutEffect: 'Viaduct sizes its tables itself.' }

const declared = {
  valid_referers: directives({
    in: ['server', 'location'],
    args: referersArgs,
    doc: 'The values of Referer with which `$invalid_referer` is empty.',
  }),
  referer_hash_max_size: directive({
    in: ['server', 'location'],
    args: tableSize,
    default: '2048',
    doc: 'Table of referers.',
    ...hash,
  }),
  referer_hash_bucket_size: directive({
    in: ['server', 'location'],
    args: tableSize,
    default: '64',
    doc: 'Table of referers.',
    ...hash,
  }),
}

const byLocation = new WeakMap<LocationConf, Referers>()

/** The module list's entry. */
export const refererModule = httpModule({
  name: 'http_referer',
  doc: 'Requests that come from other sites.',
  directives: declared,
  variables: {
    invalid_referer: {
      get: (r) => (byLocation.get(r.location)?.invalid(r) === true ? '1' : ''),
      changeable: true,
    },
  },
  attach(conf, _plan, at) {
    const list = conf.valid_referers
    if (list.length > 0) byLocation.set(at.location, new Referers(list.flat(), at))
  },
})

/** The valid values of one location. */
class Referers {
  #none = false
  #blocked = false
  /** The beginning of the path that a host's page must have; empty: any. */
  readonly #hosts = new HostTable<string>()
  /** Patterns of server names, matched on the host alone. */
  readonly #names: Pattern[] = []
  /** Matched on all that follows the scheme. */
  readonly #patterns: Pattern[] = []
  #empty = true
  #hasHosts = false

  constructor(list: readonly Referer[], at: AttachContext) {
    for (const one of list) {
      if (one.kind === 'none') this.#none = true
      else if (one.kind === 'blocked') this.#blocked = true
      else if (one.kind === 'regex') this.#addPattern(this.#patterns, one.pattern)
      else if (one.kind === 'server_names') this.#addServerNames(at)
      else this.#addHost(one.host, one.uri, at, one.word)
    }
    if ((this.#none || this.#blocked) && !this.#hasHosts) at.fail(NO_HOSTS)
  }

  #addPattern(list: Pattern[], pattern: Pattern): void {
    list.push(pattern)
    this.#empty = false
  }

  #addServerNames(at: AttachContext): void {
    this.#empty = false
    // The unnamed server has the empty name.
    this.#hasHosts = true
    for (const name of at.server.base.scope.resolve(structure).server_name.flat()) {
      if (name.kind === 'regex') this.#addPattern(this.#names, name.pattern)
      else this.#addHost(name.text, '', at, name.at)
    }
  }

  #addHost(host: string, uri: string, at: AttachContext, where: Parameters<AttachContext['fail']>[1]): void {
    const added = this.#hosts.add(host, uri)
    this.#empty = false
    this.#hasHosts = true
    if (added === 'invalid') at.fail(`invalid hostname or wildcard "${host}"`, where)
    else if (added === 'conflict') at.fail(`conflicting parameter "${host}"`, where)
  }

  invalid(r: Request): boolean {
    if (this.#empty) return false
    const referer = r.headers.valueOf(REFERER, 'referer')
    if (referer === undefined) return !this.#none
    const scheme = referer.length < URL_MIN ? null : /^https?:\/\//i.exec(referer)
    if (scheme === null) return !this.#blocked
    const rest = referer.slice(scheme[0].length)
    const end = rest.search(/[/:]/)
    const host = end < 0 ? rest : rest.slice(0, end)
    if (host.length > HOST_MAX) return true
    const uri = this.#hosts.find(host)
    if (uri !== undefined) {
      const slash = rest.indexOf('/', host.length)
      return uri !== '' && !(slash >= 0 && rest.startsWith(uri, slash))
    }
    const name = host.toLowerCase()
    return !matchesAny(r, this.#names, name) && !matchesAny(r, this.#patterns, rest)
  }
}

function matchesAny(r: Request, patterns: readonly Pattern[], text: string): boolean {
  for (const pattern of patterns) {
    if (pattern.test(text)) return true
    if (pattern.gaveUp) r.matchGivenUp(pattern, text)
  }
  return false
}
