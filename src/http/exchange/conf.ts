/** What a module that passes requests to back ends decides at load: how to find the group, what to send, what to hide. */

import type { PeerGroup } from '../../upstream/group.ts'
import type { ConnectOptions } from '../../upstream/pool.ts'
import {
  IGNORE_ACCEL_EXPIRES,
  IGNORE_CACHE_CONTROL,
  IGNORE_EXPIRES,
  IGNORE_SET_COOKIE,
  IGNORE_VARY,
} from '../cache/freshness.ts'
import type { TempPath } from '../files/temp-file.ts'
import { FieldRoles } from '../message/field-names.ts'
import type { Request } from '../request/request.ts'
import type { CacheConf } from './cache/conf.ts'
import type { Protocol } from './codec.ts'
import type { TransportConf } from './directives/transport.ts'
import type { Exchange } from './exchange.ts'
import type { StorePlace } from './stored-file.ts'

/** Fields of `X-Accel-*` and their like that are to have no effect, as bits. */
export const IGNORE_REDIRECT = 1
export const IGNORE_LIMIT_RATE = 2
export const IGNORE_BUFFERING = 4
export const IGNORE_CHARSET = 8
const IGNORED: Readonly<Record<string, number>> = {
  'X-Accel-Redirect': IGNORE_REDIRECT,
  'X-Accel-Limit-Rate': IGNORE_LIMIT_RATE,
  'X-Accel-Buffering': IGNORE_BUFFERING,
  'X-Accel-Charset': IGNORE_CHARSET,
  'X-Accel-Expires': IGNORE_ACCEL_EXPIRES,
  Expires: IGNORE_EXPIRES,
  'Cache-Control': IGNORE_CACHE_CONTROL,
  'Set-Cookie': IGNORE_SET_COOKIE,
  Vary: IGNORE_VARY,
}

/** The bits of an `ignore_headers` list. */
export function ignoreMask(names: readonly string[]): number {
  return names.reduce((mask, name) => mask | (IGNORED[name] ?? 0), 0)
}

/** Names that clients do not get: `base` and `hide` without `pass`. */
export function hiddenFields(base: readonly string[], hide: readonly string[], pass: readonly string[]): FieldRoles {
  const passed = new Set(pass.map((name) => name.toLowerCase()))
  const names = new Set([...base.filter((name) => !passed.has(name)), ...hide.map((name) => name.toLowerCase())])
  return new FieldRoles([...names].map((name) => [name, 1]))
}

/** What a location decides about its exchanges; made once when it attaches. */
export interface ExchangeConf {
  /** What is spoken to the back end. */
  readonly protocol: Protocol
  readonly transport: TransportConf
  /** Who may use the same connections: the location and how it connects, in words that a reload does not change. */
  readonly tag: string
  readonly nextMask: number
  /** `http://`, for messages. */
  readonly scheme: string
  /** A 404 of the back end is answered with our own error page (`intercept_404` of nginx). */
  readonly intercept404: boolean
  /** Sends the client's body along. */
  readonly passBody: boolean
  /** `proxy_pass_trailers`: the client gets the trailers. */
  readonly passTrailers: boolean
  /** The back end understands a body whose length is not known before its end. */
  readonly chunkedAllowed: boolean
  /** The head contains a body of its own (`proxy_set_body`). */
  readonly ownBody: boolean
  readonly tempPath: TempPath
  /** `proxy_store`, when it is on. */
  readonly store: StorePlace | undefined
  readonly ignore: number
  /** Hashes of lower-case names that the client does not get, each with its names. */
  readonly hidden: FieldRoles
  /** `proxy_pass_header Date` and `Server`: a back end that sends none has the client get none. */
  readonly onlyTheirDate: boolean
  readonly onlyTheirServer: boolean
  /** `proxy_cache`, when it is on. */
  readonly cache: CacheConf | undefined
  /** With a cache: notes where the request would go, as its key may need to know. 0, or a status when that is nowhere. */
  aim(r: Request): number
  /** The group to ask; a status when there is none; WAIT when `exchange.resolved` will be called. */
  resolve(r: Request): PeerGroup | number
  /** The request as text, head and own body; sets `exchange.uri`. Empty: it cannot be made (500). */
  request(r: Request, exchange: Exchange): string
  /** `limit_rate` in bytes per second, asked when the head of the response is there; 0: no limit. */
  rate(r: Request): number
  connectOptions(r: Request): ConnectOptions
  /** `allow_upstream`: true when the server of the attempt that has begun may not be asked. */
  readonly denies: ((r: Request) => boolean) | undefined
  /** `request_dynamic`: the request is made anew for each server. */
  readonly perServer: boolean
  /** What is done to Set-Cookie, if anything is; it answers undefined for a cookie that stays. */
  readonly rewriteCookie: ((r: Request, value: string) => string | undefined) | undefined
  /** `proxy_redirect`: a replacement for a Location or Refresh, or undefined. */
  rewriteRedirect(r: Request, value: string): string | undefined
}
