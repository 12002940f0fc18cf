/**
 * ngx_http_secure_link_module: links that only who knows a secret can make, and that may expire. `$secure_link` is empty
 * for a wrong link, `0` for one that has expired, `1` for a good one; with `secure_link_secret` it is the link's own URI.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { text } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { parseSeconds } from '../../config/units.ts'
import { httpModule } from '../../http/compile/module.ts'
import { noValue } from '../../http/compile/no-value.ts'
import type { LocationConf } from '../../http/request/location.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { defineSlot } from '../../http/request/slots.ts'
import { clock } from '../../lib/clock.ts'
import { bounded } from '../../value/cycles.ts'
import { template } from '../../value/template.ts'

const PLACES = ['http', 'server', 'location'] as const

const directives = {
  secure_link: directive({
    in: PLACES,
    args: template('expression'),
    doc: 'The text that holds the link: its MD5 digest in Base64 of URLs and, after a comma, when it expires.',
  }),
  secure_link_md5: directive({
    in: PLACES,
    args: template('expression'),
    doc: 'The text whose MD5 digest a good link has.',
  }),
  secure_link_secret: directive({
    in: PLACES,
    args: text('word'),
    doc: 'The secret of links of the old form `/prefix/digest/link`.',
  }),
}

interface SecureLink {
  /** The secret of the old form, or undefined. */
  readonly secret: string | undefined
  readonly link: Text | undefined
  readonly md5: Text | undefined
}

const byLocation = new WeakMap<LocationConf, SecureLink>()
const expiresOf = defineSlot<string>()

/** The module list's entry. */
export const secureLinkModule = httpModule({
  name: 'http_secure_link',
  doc: 'Links that expire and cannot be made up.',
  directives,
  variables: {
    secure_link: bounded(secureLink, (r) => noValue.cyclic(r, 'secure_link')),
    secure_link_expires: (r) => r.get(expiresOf),
  },
  attach(conf, _plan, at) {
    const own = at.scope.own(directives)
    const given = own.secure_link_secret
    if (given !== undefined && (own.secure_link !== undefined || own.secure_link_md5 !== undefined)) {
      const where = at.scope.positionOf(directives.secure_link_secret)
      at.fail('"secure_link_secret" cannot be mixed with "secure_link" and "secure_link_md5"', where)
    }
    const { secure_link: link, secure_link_md5: md5 } = conf
    // An inherited secret holds only where neither of the others does.
    const secret = given ?? (link === undefined && md5 === undefined ? conf.secure_link_secret : undefined)
    byLocation.set(at.location, {
      secret: secret,
      link: link === undefined ? undefined : at.text(link),
      md5: md5 === undefined ? undefined : at.text(md5),
    })
  },
})

function secureLink(r: Request): string | undefined {
  const conf = byLocation.get(r.location)
  if (conf?.secret !== undefined) return oldLink(r, conf.secret)
  if (conf?.link === undefined || conf.md5 === undefined) return undefined
  const link = conf.link(r)
  const comma = link.indexOf(',')
  let expires = 0
  if (comma >= 0) {
    const when = link.slice(comma + 1)
    expires = /^\d+$/.test(when) ? (parseSeconds(when) ?? 0) : 0
    if (expires <= 0) return undefined
    r.set(expiresOf, when)
  }
  const digest = comma < 0 ? link : link.slice(0, comma)
  if (!sameDigest(digest, conf.md5(r))) return undefined
  return expires > 0 && expires < clock.seconds ? '0' : '1'
}

function sameDigest(link: string, text: string): boolean {
  if (!/^[A-Za-z0-9_-]{22}={0,2}$/.test(link)) return false
  return timingSafeEqual(md5(text), Buffer.from(link, 'base64url'))
}

/** `/prefix/digest/link`: the digest is of link and secret. */
function oldLink(r: Request, secret: string): string | undefined {
  const { unparsedUri } = r
  const start = unparsedUri.indexOf('/', 1) + 1
  const end = start === 0 ? -1 : unparsedUri.indexOf('/', start)
  const link = unparsedUri.slice(end + 1)
  const digest = unparsedUri.slice(start, end)
  if (end < 0 || link === '' || !/^[0-9a-fA-F]{32}$/.test(digest)) return undefined
  return timingSafeEqual(md5(link + secret), Buffer.from(digest, 'hex')) ? link : undefined
}

function md5(text: string): Buffer {
  return createHash('md5').update(text, 'latin1').digest()
}
