/**
 * ngx_http_realip_module: takes the client's address from a field or from the PROXY protocol when the connection comes
 * from a trusted proxy. The request gets a client of its own; the connection's stays as it is.
 */
import { flag, word } from '../../config/args.ts'
import { cidrs } from '../../config/cidrs.ts'
import { directive, directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { hashName } from '../../http/message/field-names.ts'
import { forwardedPeer, type Peer } from '../../http/message/forwarded.ts'
import type { Request } from '../../http/request/request.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import type { Cidr } from '../../lib/cidr.ts'
import { formatIp } from '../../lib/ip.ts'

const PLACES = ['http', 'server', 'location'] as const

const declared = {
  set_real_ip_from: directives({ in: PLACES, args: cidrs, doc: 'Proxies whose word about addresses is believed.' }),
  real_ip_header: directive({
    in: PLACES,
    args: word('field | X-Real-IP | X-Forwarded-For | proxy_protocol', (w) => w.text),
    default: 'X-Real-IP',
    doc: 'Where the address of the client is told.',
  }),
  real_ip_recursive: directive({
    in: PLACES,
    args: flag,
    default: 'off',
    doc: 'Takes the last address of the list that is not trusted, in place of the last.',
  }),
}

interface RealIp {
  readonly from: readonly Cidr[]
  readonly recursive: boolean
  /** In lower case; undefined: the PROXY protocol. */
  readonly field: string | undefined
  readonly hash: number
  /** All fields of the name count, as one list. */
  readonly isList: boolean
}

/** The module list's entry. */
export const realipModule = httpModule({
  name: 'http_realip',
  doc: "The client's address behind proxies.",
  directives: declared,
  variables: {
    realip_remote_addr: (r) => r.carrier.client.address,
    realip_remote_port: (r) => (r.carrier.client.port === 0 ? '' : String(r.carrier.client.port)),
  },
  attach(conf, plan, at) {
    if (conf.set_real_ip_from.length === 0) return
    const name = conf.real_ip_header.toLowerCase()
    const step: RealIp = {
      from: conf.set_real_ip_from.flat(),
      recursive: conf.real_ip_recursive,
      field: conf.real_ip_header === 'proxy_protocol' ? undefined : name,
      hash: hashName(name),
      isList: name === 'x-forwarded-for',
    }
    if (at.scope.context === 'server') plan.postread(findAddress, step)
    plan.preaccess(findAddress, step)
  },
})

function findAddress(r: Request, { from, recursive, field, hash, isList }: RealIp): Verdict {
  const { client } = r
  // Once found, the address stays for the whole request.
  if (client !== r.carrier.client) return NEXT
  let values: readonly string[]
  if (field === undefined) {
    values = client.proxyAddress === '' ? [] : [client.proxyAddress]
  } else if (isList) {
    values = r.headers.values(hash, field)
  } else {
    const value = r.headers.valueOf(hash, field)
    values = value === undefined ? [] : [value]
  }
  if (values.length === 0) return NEXT
  const peer: Peer = { bytes: client.address === 'unix:' ? '' : client.binaryAddress, port: 0 }
  const found = forwardedPeer(peer, values, from, recursive)
  if (found === peer) return NEXT
  r.client = client.withAddress(formatIp(found.bytes), field === undefined ? client.proxyPort : found.port)
  return NEXT
}
