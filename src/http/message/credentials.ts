/** What a request has in `Authorization`: user and password (ngx_http_auth_basic_user), or a Bearer token. */

import { hashName } from './field-names.ts'
import type { HeaderTable } from './header-table.ts'
import { CONNECT } from './method.ts'

const AUTHORIZATION = hashName('authorization')
const PROXY_AUTHORIZATION = hashName('proxy-authorization')
const SCHEME = 'basic '
/** As much as it takes to be bytes: one character more says nothing (ngx_decode_base64). */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3})?={0,2}$/

/** What the client sent, checked or not; binary strings. */
export interface Credentials {
  readonly user: string
  readonly password: string
}

/** The credentials in the head of a request, or undefined when there are none that can be understood. */
export function basicCredentials(headers: HeaderTable, methodBit: number): Credentials | undefined {
  const value =
    methodBit === CONNECT
      ? headers.valueOf(PROXY_AUTHORIZATION, 'proxy-authorization')
      : headers.valueOf(AUTHORIZATION, 'authorization')
  if (value === undefined || value.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return undefined
  const encoded = value.slice(SCHEME.length).trimStart()
  if (!BASE64.test(encoded)) return undefined
  const text = Buffer.from(encoded, 'base64').latin1Slice()
  const colon = text.indexOf(':')
  return colon > 0 ? { user: text.slice(0, colon), password: text.slice(colon + 1) } : undefined
}

const BEARER = 'bearer '

/** The Bearer token of a request (RFC 6750), or undefined. */
export function bearerToken(headers: HeaderTable): string | undefined {
  const value = headers.valueOf(AUTHORIZATION, 'authorization')
  if (value === undefined || value.slice(0, BEARER.length).toLowerCase() !== BEARER) return undefined
  return value.slice(BEARER.length).trim()
}
