/** Old browsers that servers still make exceptions for, told by their User-Agent (ngx_http_process_user_agent). */
import { hashName } from '../message/field-names.ts'
import { POST } from '../message/method.ts'
import type { Request } from './request.ts'

const USER_AGENT = hashName('user-agent')

/** `keepalive_disable` as bits. */
export const KEEPALIVE_MSIE6 = 1
/** Safari on macOS. */
export const KEEPALIVE_SAFARI = 2

function userAgent(r: Request): string {
  return r.headers.valueOf(USER_AGENT, 'user-agent') ?? ''
}

/** Tells whether the client is Internet Explorer. */
export function isMsie(r: Request): boolean {
  const agent = userAgent(r)
  return agent.includes('MSIE ') && !agent.includes('Opera')
}

/** Tells whether the client is Internet Explorer or Chrome: both replace short error pages by their own. */
export function replacesErrorPages(r: Request): boolean {
  return isMsie(r) || userAgent(r).includes('Chrome/')
}

/** Tells whether the connection must close for the client's sake; `disabled` are bits of `keepalive_disable`. */
export function mustNotKeepAlive(r: Request, disabled: number): boolean {
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
