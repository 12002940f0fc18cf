/** What stands behind every message about a request: nginx's account of who and what. */
import { hashName } from '../message/field-names.ts'
import type { Conversation } from './conversation.ts'
import type { Request } from './request.ts'

const REFERER = hashName('referer')

const LEFT = 'epoll_wait() reported that client prematurely closed connection'

/** nginx's words for a client that has not waited; `conversation` is what works for it, when that is a back end. */
export function leftText(conversation: Conversation | undefined): string {
  if (conversation === undefined || conversation.asked === '') return 'client prematurely closed connection'
  return conversation.caching?.cacheable === true ? LEFT : `${LEFT}, so upstream connection is closed too`
}

/** The account of `r`, with what modules add to it. */
export function describeRequest(r: Request): string {
  let text = `, client: ${r.client.address}, server: ${r.server.name}`
  if (r.requestLine !== '') text += `, request: "${r.requestLine}"`
  if (r.main !== r) text += `, subrequest: "${r.uri}"`
  const asked = r.conversation?.asked ?? ''
  if (asked !== '') text += `, upstream: "${asked}"`
  const host = r.facts.hostIndex >= 0 ? r.headers.value(r.facts.hostIndex) : ''
  if (host !== '') text += `, host: "${host}"`
  const referer = r.headers.valueOf(REFERER, 'referer')
  if (referer !== undefined) text += `, referrer: "${referer}"`
  for (const { run, conf } of r.location.tagSteps) text += run(r, conf as never)
  return text
}
