/** What a client's certificate is worth (ngx_http_process_request, ngx_ssl_get_client_verify). */
import type { TlsPeer } from '../../net/tls-server-wire.ts'
import { CHAIN_TOO_LONG, type VerifyResult } from '../../net/tls-wire-verify.ts'
import type { Client } from '../client.ts'
import { type SslServer, VERIFY_ON, VERIFY_OPTIONAL_NO_CA } from './server.ts'

/** The problem of a client that has no certificate where one is needed. */
export const NO_CERTIFICATE = 'client sent no required SSL certificate'

/** Results of OpenSSL that say no more than that nobody known issued the certificate (ngx_ssl_verify_error_optional). */
const UNKNOWN_ISSUER: ReadonlySet<number> = new Set([18, 19, 20, 21, 27])

/** What is wrong with the client for such a server, in nginx's words; empty: nothing. */
export function clientProblem(client: Client, { verify, depth }: SslServer): string {
  const peer = client.tls?.peer
  if (peer === undefined) return verify === VERIFY_ON ? NO_CERTIFICATE : ''
  const { code, text } = resultOf(peer, depth)
  if (code === 0 || (verify === VERIFY_OPTIONAL_NO_CA && UNKNOWN_ISSUER.has(code))) return ''
  return `(${code}:${text})`
}

/** `$ssl_client_verify`. */
export function clientVerify(client: Client, { depth }: SslServer): string {
  const peer = client.tls?.peer
  if (peer === undefined) return 'NONE'
  const { code, text } = resultOf(peer, depth)
  return code === 0 ? 'SUCCESS' : `FAILED:${text}`
}

function resultOf({ result, intermediates }: TlsPeer, depth: number): VerifyResult {
  return result.code === 0 && intermediates > depth ? CHAIN_TOO_LONG : result
}
