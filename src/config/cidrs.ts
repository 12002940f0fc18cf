/** Addresses of clients, as `set_real_ip_from` and `debug_connection` name them: numbers, ranges, host names, `unix:`. */
import { type Cidr, parseCidr, UNIX_CIDR } from '../lib/cidr.ts'
import { resolveHost } from '../lib/resolve-host.ts'
import { word } from './args.ts'
import type { Args } from './directive.ts'

/** One word; a host name may have several addresses. */
export const cidrs: Args<readonly Cidr[]> = word('address | CIDR | hostname | unix:', (w, at) => {
  if (w.text === 'unix:') return [UNIX_CIDR]
  const cidr = parseCidr(w.text)
  if (cidr !== undefined) {
    if (cidr.lowBits) at.warn(`low address bits of ${w.text} are meaningless`, w)
    return [cidr]
  }
  const addresses = w.text.includes('/') ? [] : resolveHost(w.text)
  if (addresses.length === 0) return at.fail(`host not found in ${at.directive.text} "${w.text}"`, w)
  return addresses.map((address) => parseCidr(address)!)
})
