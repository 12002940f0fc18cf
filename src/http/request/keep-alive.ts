/** Whether a connection of HTTP/1 is kept for another request when one is answered. */
import { clock } from '../../lib/clock.ts'
import { POST } from '../message/method.ts'
import { userAgent } from './browser-quirks.ts'
import type { Request } from './request.ts'

/** `keepalive_disable` as bits. */
export const KEEPALIVE_MSIE6 = 1
/** Safari on macOS. */
export const KEEPALIVE_SAFARI = 2

/** Tells whether the connection of `r` may stay. */
export function staysAlive(r: Request): boolean {
  if (!r.keepAlive) return false
  const { core, keepAliveDisabled } = r.location
  if (r.client.requests >= core.keepalive_requests) return false
  if (keepAliveDisabled !== 0 && mustNotKeepAlive(r, keepAliveDisabled)) return false
  if (core.keepalive_timeout.timeoutMs === 0) return false
  return clock.monotonic - r.client.startMs <= core.keepalive_time && !r.carrier.closing
}

/** Tells whether the connection must close for the client's sake; `disabled` are bits of `keepalive_disable`. */
function mustNotKeepAlive(r: Request, disabled: number): boolean {
  if ((disabled & KEEPALIVE_MSIE6) !== 0 && r.methodBit === POST && isMsie6(userAgent(r))) return true
  return (disabled & KEEPALIVE_SAFARI) !== 0 && isSafari(userAgent(r))
}

function isMsie6(agent: string): boolean {
  const [, version] = /MSIE (\d)\./.exec(agent) ?? []
  if (version === undefined || agent.includes('Opera')) return false
  return version === '4' || version === '5' || (version === '6' && !agent.includes('SV1'))
}

function isSafari(agent: string): boolean {
  if (agent.includes('Opera') || agent.includes('MSIE ') || /Gecko\/|Chrome\//.test(agent)) return false
  return agent.includes('Safari/') && agent.includes('Mac OS X')
}
