/**
 * ngx_http_geo_module: a variable whose value depends on an address, by networks or (IPv4 only) by ranges. Unlike
 * nginx no binary form of large range files is written or read.
 */
import { type Args, type BlockValue, block, type Entry } from '../../config/directive.ts'
import type { Position, Word } from '../../config/source.ts'
import type { HttpTree } from '../../http/compile/module.ts'
import { httpModule } from '../../http/compile/module.ts'
import { hashName } from '../../http/message/field-names.ts'
import { forwardedPeer } from '../../http/message/forwarded.ts'
import type { Getter } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { type Cidr, parseCidr } from '../../lib/cidr.ts'
import { CidrMap } from '../../lib/cidr-map.ts'
import { formatIp, parseIp, parseIpv4, unmapIp } from '../../lib/ip.ts'
import { RangeMap } from '../../lib/range-map.ts'
import type { Steps } from '../../lib/steps.ts'
import { variableName } from '../../value/variable-name.ts'

const FORWARDED_FOR = hashName('x-forwarded-for')
/** What an unusable address counts as: INADDR_NONE. */
const NO_ADDRESS = '\xff\xff\xff\xff'

interface Head {
  /** The variable that holds the address; undefined: the client's own. */
  readonly source: string | undefined
  readonly variable: string
}

const head: Args<Head> = {
  syntax: '[$address] $variable',
  min: 1,
  max: 2,
  read(words, at) {
    const names = words.map((word) => variableName(word, at))
    return { source: names.length === 2 ? names[0] : undefined, variable: names.at(-1)! }
  },
}

const FLAGS: ReadonlySet<string> = new Set(['ranges', 'proxy_recursive', 'volatile'])

const entry: Args<readonly Word[]> = {
  syntax: 'address value',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read(words, at) {
    const alone = words.length === 1 && FLAGS.has(words[0]!.text)
    if (words.length !== 2 && !alone) at.fail('invalid number of the geo parameters')
    return words
  },
}

const directives = {
  geo: block({
    in: ['http'],
    args: head,
    opens: 'geo',
    entry,
    doc: 'Makes a variable whose value depends on an address: the block lists networks or ranges with values.',
  }),
}

/** The module list's entry. */
export const geoModule = httpModule({
  name: 'http_geo',
  doc: 'Variables that depend on addresses.',
  directives,
  *init(conf, tree) {
    for (const geo of conf.geo) yield* declareGeo(geo, tree)
  },
})

const ENTRIES_PER_STEP = 200

function* declareGeo({ args, entries, drop, close }: BlockValue<Head, readonly Word[]>, tree: HttpTree): Steps<void> {
  if (tree.variables.isFixed(args.variable)) {
    tree.fail(`the duplicate "${args.variable}" variable`, close)
    return
  }
  const geo = new Geo()
  for (const [index, one] of entries.entries()) {
    if (index % ENTRIES_PER_STEP === 0) yield
    geo.add(one, tree)
  }
  drop()
  tree.variables.computed(args.variable, (r) => geo.value(r), geo.volatile)
  const { source } = args
  if (source !== undefined) {
    tree.afterAttach(() => {
      geo.source = tree.variable(source)
    })
  }
}

class Geo {
  volatile = false
  source: Getter | undefined
  #ranges: RangeMap<string> | undefined
  #default: string | undefined
  readonly #networks = new CidrMap<string>()
  readonly #networks6 = new CidrMap<string>()
  #hasNetworks = false
  readonly #proxies: Cidr[] = []
  #recursive = false

  add({ value: words, at }: Entry<readonly Word[]>, tree: HttpTree): void {
    const key = words[0]!.text
    const value = words[1]?.text
    if (value === undefined) this.#flag(key, tree, at)
    else if (key === 'proxy') this.#addProxy(value, tree, at)
    else if (this.#ranges === undefined) this.#addNetwork(key, value, tree, at)
    else this.#addRange(this.#ranges, key, value, tree, at)
  }

  #flag(name: string, tree: HttpTree, at: Position): void {
    if (name === 'volatile') this.volatile = true
    else if (name === 'proxy_recursive') this.#recursive = true
    else if (!this.#hasNetworks) this.#ranges ??= new RangeMap()
    else tree.fail('the "ranges" directive must be the first directive inside "geo" block', at)
  }

  #addProxy(text: string, tree: HttpTree, at: Position): void {
    const cidr = readCidr(text, tree, at)
    if (cidr !== undefined) this.#proxies.push(cidr)
  }

  #addNetwork(key: string, value: string, tree: HttpTree, at: Position): void {
    this.#hasNetworks = true
    if (key === 'default') {
      if (this.#default !== undefined) duplicate('network', key, value, this.#default, tree, at)
      this.#default = value
      return
    }
    const net = key === 'delete' ? value : key
    const cidr = readCidr(net, tree, at)
    if (cidr === undefined) return
    const bytes = parseIp(net.split('/', 1)[0]!)!
    const networks = bytes.length === 4 ? this.#networks : this.#networks6
    if (key === 'delete') {
      if (!networks.delete(bytes, cidr.bits)) tree.warn(`no network "${net}" to delete`, at)
      return
    }
    const old = networks.set(bytes, cidr.bits, value)
    if (old !== undefined) duplicate('network', net, value, old, tree, at)
  }

  #addRange(ranges: RangeMap<string>, key: string, value: string, tree: HttpTree, at: Position): void {
    if (key === 'default') {
      if (this.#default !== undefined) {
        tree.warn(`duplicate default geo range value: "${value}", old value: "${this.#default}"`, at)
      }
      this.#default = value
      return
    }
    const net = key === 'delete' ? value : key
    const [start, end] = readRange(net)
    if (start === undefined || end === undefined || start > end) {
      tree.fail(`invalid range "${net}"`, at)
    } else if (key === 'delete') {
      if (!ranges.delete(start, end)) tree.warn(`no address range "${net}" to delete`, at)
    } else {
      const added = ranges.add(start, end, value)
      if (added.kind === 'replaced') duplicate('range', net, value, added.old, tree, at)
      else if (added.kind === 'overlaps') {
        tree.fail(`range "${net}" overlaps "${addressText(added.start)}-${addressText(added.end)}"`, at)
      }
    }
  }

  value(r: Request): string {
    const address = this.#address(r)
    if (this.#ranges !== undefined) {
      const found = this.#ranges.find(numberOf(address.length === 4 ? address : NO_ADDRESS))
      return found ?? this.#default ?? ''
    }
    const networks = address.length === 4 ? this.#networks : this.#networks6
    return networks.find(address) ?? this.#default ?? ''
  }

  /** Four or sixteen bytes. */
  #address(r: Request): string {
    let bytes: string | undefined
    if (this.source === undefined) {
      bytes = r.client.address === 'unix:' ? '' : r.client.binaryAddress
    } else {
      bytes = parseIp(this.source(r) ?? '')
      if (bytes === undefined) return NO_ADDRESS
    }
    if (this.#proxies.length > 0) {
      const lists = r.headers.values(FORWARDED_FOR, 'x-forwarded-for')
      if (lists.length > 0) bytes = forwardedPeer({ bytes, port: 0 }, lists, this.#proxies, this.#recursive).bytes
    }
    return bytes === '' ? NO_ADDRESS : unmapIp(bytes)
  }
}

function duplicate(what: string, net: string, value: string, old: string, tree: HttpTree, at: Position): void {
  tree.warn(`duplicate ${what} "${net}", value: "${value}", old value: "${old}"`, at)
}

function readCidr(text: string, tree: HttpTree, at: Position): Cidr | undefined {
  const cidr = parseCidr(text)
  if (cidr === undefined) tree.fail(`invalid network "${text}"`, at)
  else if (cidr.lowBits) tree.warn(`low address bits of ${text} are meaningless`, at)
  return cidr
}

function readRange(text: string): (number | undefined)[] {
  const dash = text.indexOf('-')
  if (dash < 0) return []
  return [text.slice(0, dash), text.slice(dash + 1)].map((end) => {
    const bytes = parseIpv4(end)
    return bytes === undefined || bytes === NO_ADDRESS ? undefined : numberOf(bytes)
  })
}

function numberOf(bytes: string): number {
  const high = (bytes.charCodeAt(0) << 8) | bytes.charCodeAt(1)
  return high * 0x10000 + ((bytes.charCodeAt(2) << 8) | bytes.charCodeAt(3))
}

function addressText(address: number): string {
  return formatIp(String.fromCharCode(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255))
}
