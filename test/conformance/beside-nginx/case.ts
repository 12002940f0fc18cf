/**
 * What a comparison of two servers is made of. A group is one configuration and the cases that are asked of it; both are
 * data; what differs on purpose is in known.ts.
 */

import type { Speech } from './gateways.ts'
import type { Secured } from './secured.ts'

/** What a back end does with one request. */
export interface Answer {
  /** Several are sent one after the other, with a pause between. */
  readonly send: string | readonly string[]
  /** It answers when it has the head of the request. */
  readonly early?: true
  /** What it does then; nothing by default, so that the connection can be used again. */
  readonly after?: 'close' | 'reset'
}

/** What can differ between two servers. */
export const ASPECTS = ['replies', 'open', 'access', 'errors', 'asked'] as const
/** One of them. */
export type Aspect = (typeof ASPECTS)[number]

/** One exchange with a server. */
export interface Case {
  /**
   * Bytes of the client, as latin1 text; with several, each is sent when the answer to the one before has come. Over HTTP/2
   * requests of HTTP/1 become frames, and what begins with its preface is frames already.
   */
  readonly send: string | readonly string[]
  /** The client ends its side after the last byte. */
  readonly end?: boolean
  /** What back ends do, one entry for each request that reaches any of them; the last one repeats. */
  readonly answers?: readonly Answer[]
}

/** A configuration and what is asked of it. */
export interface Group {
  readonly name: string
  /**
   * What stands in `http`: `%%PORT_0%%` to `%%PORT_5%%` are free, `%%PORT_6%%` and `%%PORT_7%%` are back ends, nobody
   * listens at `%%PORT_8%%`; `%%DIR%%` is the folder, `%%CERTS%%` that of certificates (secured.ts).
   */
  readonly http: string
  /** Its cases are asked over HTTP/2. */
  readonly http2?: true
  /** What its back ends speak, HTTP/1 by default. */
  readonly speech?: Speech
  /** Back ends that speak TLS, by the numbers of their ports. */
  readonly secured?: Readonly<Record<number, Secured>>
  /** Files in the folder. */
  readonly files?: Readonly<Record<string, string>>
  /** Which port cases go to, 0 by default. */
  readonly cases: Readonly<Record<string, Case>>
}

/** Returns a request of HTTP/1.1 after which the connection closes. */
export function ask(target: string, fields: readonly string[] = [], method = 'GET', body = ''): string {
  const host = fields.some((field) => /^host:/i.test(field)) ? [] : ['Host: h']
  return [`${method} ${target} HTTP/1.1`, ...host, 'Connection: close', ...fields, '', body].join('\r\n')
}

/** Returns cases that ask for targets, each with the same fields. */
export function targets(list: readonly string[], fields: readonly string[] = []): Record<string, Case> {
  return Object.fromEntries(list.map((target) => [[target, ...fields].join(' '), { send: ask(target, fields) }]))
}
