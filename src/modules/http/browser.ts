/** ngx_http_browser_module: `$modern_browser` and `$ancient_browser`, by what User-Agent says. */
import { text, words } from '../../config/args.ts'
import type { ScopeView } from '../../config/directive.ts'
import { type Args, type ConfOf, directive, directives } from '../../config/directive.ts'
import type { Scope } from '../../config/scope.ts'
import { httpModule } from '../../http/compile/module.ts'
import { hashName } from '../../http/message/field-names.ts'
import type { LocationConf } from '../../http/request/location.ts'
import type { Request } from '../../http/request/request.ts'

const USER_AGENT = hashName('user-agent')
const PLACES = ['http', 'server', 'location'] as const
/** Where a version begins to count: `1.2.3` is 1020300 in millionths. */
const SCALE = 1_000_000
/** No Opera is that new. */
const NEVER = 4_001_000_000

/** How a browser's version is found: after `sign`, which stands behind `skip` characters, `add` characters on. */
interface Browser {
  readonly name: string
  readonly skip: number
  readonly add: number
  readonly sign: string
}

/** In the order of looking: Opera's text may name others. */
const BROWSERS: readonly Browser[] = [
  { name: 'opera', skip: 0, add: 6, sign: 'Opera' },
  { name: 'msie', skip: 25, add: 5, sign: 'MSIE ' },
  { name: 'gecko', skip: 13, add: 3, sign: 'rv:' },
  { name: 'safari', skip: 13, add: 7, sign: 'Safari/' },
  { name: 'konqueror', skip: 25, add: 10, sign: 'Konqueror/' },
]

type Modern = 'unlisted' | { readonly browser: number; readonly version: number }

const modern: Args<Modern> = {
  syntax: 'browser version | unlisted',
  min: 1,
  max: 2,
  read([first, version], at) {
    if (version === undefined) {
      return first!.text === 'unlisted' ? 'unlisted' : at.fail(`unknown browser name "${first!.text}"`, first)
    }
    const browser = BROWSERS.findIndex(({ name }) => name === first!.text.toLowerCase())
    if (browser < 0) at.fail(`unknown browser name "${first!.text}"`, first)
    if (!/^[0-9.]*$/.test(version.text)) at.fail(`invalid browser version "${version.text}"`, version)
    return { browser, version: versionAt(version.text, 0) }
  },
}

const declared = {
  modern_browser: directives({ in: PLACES, args: modern, doc: 'From which version on a browser counts as modern.' }),
  ancient_browser: directives({
    in: PLACES,
    args: words('string'),
    doc: 'Parts of User-Agent that tell an old browser.',
  }),
  modern_browser_value: directive({
    in: PLACES,
    args: text('string'),
    default: '1',
    duplicate: false,
    doc: 'The value of `$modern_browser` for modern browsers.',
  }),
  ancient_browser_value: directive({
    in: PLACES,
    args: text('string'),
    default: '1',
    duplicate: false,
    doc: 'The value of `$ancient_browser` for old browsers.',
  }),
}

const byLocation = new WeakMap<LocationConf, Judge>()

/** The module list's entry. */
export const browserModule = httpModule({
  name: 'http_browser',
  doc: 'Modern and ancient browsers.',
  directives: declared,
  variables: {
    msie: { get: (r) => (isMsie(r) ? '1' : ''), changeable: true },
    modern_browser: { get: (r) => byLocation.get(r.location)?.modern(r) ?? '', changeable: true },
    ancient_browser: { get: (r) => byLocation.get(r.location)?.ancient(r) ?? '', changeable: true },
  },
  attach(conf, _plan, at) {
    byLocation.set(at.location, judgeOf(at.scope, conf))
  },
})

const judges = new WeakMap<ScopeView, Judge>()

/** Locations without directives of their own share what holds around them. */
function judgeOf(scope: Scope, conf: ConfOf<typeof declared>): Judge {
  let holder = scope
  while (holder.parent !== undefined && Object.keys(holder.own(declared)).length === 0) holder = holder.parent
  let judge = judges.get(holder)
  if (judge === undefined) {
    judge = new Judge(conf)
    judges.set(holder, judge)
  }
  return judge
}

class Judge {
  readonly #modern: readonly { readonly browser: Browser; readonly version: number }[]
  readonly #unlistedIsModern: boolean
  readonly #netscape4: boolean
  readonly #ancient: readonly string[]
  readonly #modernValue: string
  readonly #ancientValue: string

  constructor(conf: ConfOf<typeof declared>) {
    const listed = conf.modern_browser.filter((one) => one !== 'unlisted')
    this.#unlistedIsModern = conf.modern_browser.includes('unlisted')
    const all =
      listed.length > 0 && !listed.some(({ browser }) => browser === 0)
        ? [...listed, { browser: 0, version: NEVER }]
        : listed
    this.#modern = [...all]
      .sort((a, b) => a.browser - b.browser)
      .map(({ browser, version }) => ({ browser: BROWSERS[browser]!, version }))
    const ancient = conf.ancient_browser.flat()
    this.#netscape4 = ancient.includes('netscape4')
    this.#ancient = ancient.filter((sign) => sign !== 'netscape4')
    this.#modernValue = conf.modern_browser_value
    this.#ancientValue = conf.ancient_browser_value
  }

  modern(r: Request): string {
    return this.#isModern(r) ? this.#modernValue : ''
  }

  ancient(r: Request): string {
    return this.#isModern(r) ? '' : this.#ancientValue
  }

  #isModern(r: Request): boolean {
    const agent = r.headers.valueOf(USER_AGENT, 'user-agent')
    if (agent === undefined) return this.#unlistedIsModern
    for (const { browser, version } of this.#modern) {
      const sign = browser.skip >= agent.length ? -1 : agent.indexOf(browser.sign, browser.skip)
      const start = sign + browser.add
      if (sign < 0 || start >= agent.length) continue
      return versionAt(agent, start) >= version
    }
    if (this.#modern.length > 0 && !this.#unlistedIsModern) return false
    if (this.#netscape4 && /^Mozilla\/[1-4].{5}/s.test(agent)) return false
    return !this.#ancient.some((sign) => agent.includes(sign)) && this.#unlistedIsModern
  }
}

/** The version that begins at `start`, as one number; it ends at the first other character. */
function versionAt(agent: string, start: number): number {
  let version = 0
  let part = 0
  let scale = SCALE
  for (let i = start; i < agent.length; i++) {
    const digit = agent.charCodeAt(i) - 0x30
    if (digit >= 0 && digit <= 9) {
      part = part * 10 + digit
    } else if (digit === DOT) {
      version += part * scale
      part = 0
      scale = Math.floor(scale / 100)
    } else {
      break
    }
  }
  return version + part * scale
}
const DOT = 0x2e - 0x30

/** nginx takes Opera in disguise for no Internet Explorer. */
function isMsie(r: Request): boolean {
  const agent = r.headers.valueOf(USER_AGENT, 'user-agent') ?? ''
  const at = agent.indexOf('MSIE ')
  return at >= 0 && at + 7 < agent.length && !agent.includes('Opera')
}
