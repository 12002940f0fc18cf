/**
 * leev/ngx_http_geoip2_module: variables from MaxMind's databases, by the client's address or another one. A database is
 * in memory once, for all threads. Different from the module, `auto_reload` needs no request to notice a new file.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { flag, prefixPath, text } from '../../config/args.ts'
import { type Args, type BlockValue, block, directive, directives, type Entry } from '../../config/directive.ts'
import type { Position, Word } from '../../config/source.ts'
import { parseSeconds } from '../../config/units.ts'
import { type HttpTree, httpModule } from '../../http/compile/module.ts'
import { hashName } from '../../http/message/field-names.ts'
import { forwardedPeer } from '../../http/message/forwarded.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { type Cidr, parseCidr } from '../../lib/cidr.ts'
import { clock } from '../../lib/clock.ts'
import { errnoText } from '../../lib/errno.ts'
import { parseIp, unmapIp } from '../../lib/ip.ts'
import { Mmdb, TAIL_SIZE } from '../../lib/mmdb.ts'
import { ERROR } from '../../log/error-log.ts'
import { copySize, sharedCopy } from '../../shared/file-copy.ts'
import { readTemplate, type Template } from '../../value/template.ts'

const FORWARDED_FOR = hashName('x-forwarded-for')
const NOT_OPENED = 'Error opening the specified MaxMind DB file'
const METADATA = ['build_epoch', 'last_check', 'last_change'] as const

/** One line of a block. */
type Line =
  | { readonly kind: 'reload' }
  | { readonly kind: 'metadata'; readonly name: string; readonly field: string }
  | {
      readonly kind: 'value'
      readonly name: string
      readonly default: string
      readonly source: Template | undefined
      readonly path: readonly string[]
    }

const entry: Args<Line> = {
  syntax: '$variable [default=value] [source=$address] path ... | auto_reload interval',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read(words, at) {
    const [first, second, third] = words
    if (first!.text === 'auto_reload') {
      if (words.length !== 2) return at.fail('invalid number of arguments for auto_reload')
      const interval = parseSeconds(second!.text)
      return interval === undefined
        ? at.fail(`invalid interval for auto_reload "${second!.text}"`, second)
        : { kind: 'reload' }
    }
    if (!first!.text.startsWith('$')) return at.fail(`invalid setting "${first!.text}"`, first)
    const name = first!.text.slice(1)
    if (second?.text !== 'metadata') return readValue(name, words.slice(1), at)
    if (words.length !== 3) return at.fail(`invalid number of arguments for metadata "$${name}"`)
    return { kind: 'metadata', name, field: third!.text }
  },
}

function readValue(name: string, words: readonly Word[], at: Parameters<Args<Line>['read']>[1]): Line {
  const settings = new Map<string, Word>()
  let index = 0
  for (; index < words.length && words[index]!.text.includes('='); index++) {
    const word = words[index]!
    const [, key, value] = /^(default|source)=(.+)$/s.exec(word.text) ?? []
    if (key === undefined) return at.fail(`invalid setting "${word.text}" for "$${name}"`, word)
    if (settings.has(key)) return at.fail(`${key} has already been declared for  "$${name}"`, word)
    if (key === 'source' && !value!.startsWith('$')) return at.fail(`invalid source variable name "${value}"`, word)
    settings.set(key, { ...word, text: value!, column: word.column + key.length + 1 })
  }
  const source = settings.get('source')
  return {
    kind: 'value',
    name,
    default: settings.get('default')?.text ?? '',
    source: source === undefined ? undefined : readTemplate(source, at),
    path: words.slice(index).map((word) => word.text),
  }
}

/** The module list's entry. */
export const geoip2Module = httpModule({
  name: 'http_geoip2',
  doc: 'Variables from databases of MaxMind (leev/ngx_http_geoip2_module).',
  directives: {
    geoip2: block({
      in: ['http'],
      args: prefixPath('file'),
      opens: 'geoip2',
      entry,
      doc: 'Makes variables of what a database (`.mmdb`) has for an address.',
    }),
    geoip2_proxy: directives({
      in: ['http'],
      args: text('network'),
      doc: 'Networks of proxies, whose X-Forwarded-For is believed.',
    }),
    geoip2_proxy_recursive: directive({
      in: ['http'],
      args: flag,
      default: 'off',
      doc: 'Takes the last address of X-Forwarded-For that is no proxy.',
    }),
  },
  init(conf, tree, scope) {
    const proxies: Proxies = { list: [], recursive: conf.geoip2_proxy_recursive }
    for (const network of conf.geoip2_proxy) addProxy(proxies.list, network, tree, scope.at)
    const seen = new Set<string>()
    for (const one of conf.geoip2) {
      if (seen.has(one.args)) tree.fail(`Duplicate GeoIP2 mmdb - ${one.args}`, one.at)
      else declare(one, proxies, tree)
      seen.add(one.args)
    }
  },
})

interface Proxies {
  readonly list: Cidr[]
  readonly recursive: boolean
}

function addProxy(list: Cidr[], network: string, tree: HttpTree, at: Position): void {
  const cidr = parseCidr(network)
  if (cidr === undefined) tree.fail(`invalid network "${network}"`, at)
  else {
    if (cidr.lowBits) tree.warn(`low address bits of ${network} are meaningless`, at)
    list.push(cidr)
  }
}

function declare({ args: path, entries, at }: BlockValue<string, Line>, proxies: Proxies, tree: HttpTree): void {
  let found = examine(path)
  if (typeof found === 'string') {
    // A worker may have fewer rights than the master, who has looked at it.
    if (!tree.checked) {
      tree.fail(`MMDB_open("${path}") failed - ${found}`, at)
      return
    }
    found = { size: 0, mark: '', changed: clock.seconds }
  }
  if (entries.some(({ value }) => value.kind === 'reload')) tree.watchFile(path)
  // Another file of the same name is another zone.
  const shared = tree.zone(`geoip2 ${path}`, copySize(found.size), `http_geoip2 ${found.mark}`, at)
  const database = new Database(path, shared, found.changed, tree)
  for (const line of entries) declareVariable(line, database, proxies, tree)
}

function declareVariable({ value: line, at }: Entry<Line>, database: Database, proxies: Proxies, tree: HttpTree): void {
  if (line.kind === 'reload') return
  if (tree.variables.isFixed(line.name)) {
    tree.fail(`the duplicate "${line.name}" variable`, at)
    return
  }
  if (line.kind === 'metadata') {
    tree.variables.computed(line.name, () => database.metadata(line.field), true)
    return
  }
  const { path, default: absent, source } = line
  let text: Text | undefined
  if (source !== undefined) {
    tree.afterAttach(() => {
      text = tree.text(source)
    })
  }
  tree.variables.computed(
    line.name,
    (r) => {
      const address = text === undefined ? clientOf(r, proxies) : parseIp(text(r))
      const found = address ? database.value(unmapIp(address), path) : undefined
      return found ?? (absent === '' ? undefined : absent)
    },
    false,
  )
}

function clientOf(r: Request, { list, recursive }: Proxies): string {
  const bytes = r.client.address === 'unix:' ? '' : r.client.binaryAddress
  if (list.length === 0) return bytes
  const lists = r.headers.values(FORWARDED_FOR, 'x-forwarded-for')
  return lists.length === 0 ? bytes : forwardedPeer({ bytes, port: 0 }, lists, list, recursive).bytes
}

/** A database of a worker: opened when it is first asked. */
class Database {
  readonly #path: string
  readonly #shared: SharedArrayBuffer | undefined
  readonly #changed: number
  readonly #tree: HttpTree
  #mmdb: Mmdb | undefined
  #failed = false

  constructor(path: string, shared: SharedArrayBuffer | undefined, changed: number, tree: HttpTree) {
    this.#path = path
    this.#shared = shared
    this.#changed = changed
    this.#tree = tree
  }

  value(address: string, path: readonly string[]): string | undefined {
    return this.#open()?.value(address, path)
  }

  metadata(field: string): string | undefined {
    switch (METADATA.find((name) => name === field)) {
      case 'build_epoch':
        return this.#open()?.buildEpoch
      // Files are looked at all the time.
      case 'last_check':
        return String(clock.seconds)
      case 'last_change':
        return String(this.#changed)
      default:
        return undefined
    }
  }

  #open(): Mmdb | undefined {
    if (this.#mmdb !== undefined || this.#failed || this.#shared === undefined) return this.#mmdb
    const bytes = sharedCopy(this.#shared, this.#path)
    const opened = typeof bytes === 'string' ? `${NOT_OPENED} ${errnoText(bytes)}` : Mmdb.open(bytes)
    if (typeof opened !== 'string') {
      this.#mmdb = opened
      return opened
    }
    this.#failed = true
    this.#tree.log.write(ERROR, `MMDB_open("${this.#path}") failed - ${opened}`)
    return undefined
  }
}

/** What is known of a file without reading it all. */
interface Examined {
  readonly size: number
  /** Tells one content from another. */
  readonly mark: string
  /** Seconds. */
  readonly changed: number
}

/** Looks at a file when the configuration loads; what is wrong with it is told in MaxMind's words. */
function examine(path: string): Examined | string {
  let fd = -1
  // tidy: while the configuration loads; Node tells what the system refuses by exceptions.
  try {
    fd = openSync(Buffer.from(path, 'latin1'), 'r')
    const { size, mtimeMs, ino } = fstatSync(fd)
    const tail = Buffer.alloc(Math.min(size, TAIL_SIZE))
    readSync(fd, tail, 0, tail.length, size - tail.length)
    const problem = Mmdb.check(tail, size)
    return problem === '' ? { size, mark: `${ino} ${mtimeMs}`, changed: Math.floor(mtimeMs / 1000) } : problem
  } catch {
    return NOT_OPENED
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}
