/** Old browsers that servers still make exceptions for, told by their User-Agent (ngx_http_process_user_agent). */
import { hashName } from '../message/field-names.ts'
import type { Request } from './request.ts'

const USER_AGENT = hashName('user-agent')

/** What the client says that it is. */
export function userAgent(r: Request): string {
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
