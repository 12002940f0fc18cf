/** What a client's certificate is worth (ngx_http_process_request, ngx_ssl_get_client_verify). */
import { createHash } from 'node:crypto'
import { clock } from '../lib/clock.ts'
import type { TlsPeer, TlsServer } from '../net/tls-server.ts'
import { CHAIN_TOO_LONG, type VerifyResult } from '../net/tls-wire-verify.ts'
import { type SslState, VERIFY_ON, VERIFY_OPTIONAL_NO_CA } from './server.ts'

/** The problem of a client that has no certificate where one is needed. */
export const NO_CERTIFICATE = 'client sent no required SSL certificate'

/** Results of OpenSSL that say no more than that nobody known issued the certificate (ngx_ssl_verify_error_optional). */
const UNKNOWN_ISSUER: ReadonlySet<number> = new Set([18, 19, 20, 21, 27])
/** A chain that was too long is remembered longer than any session lasts. */
const REMEMBERED_S = 86400 * 2

/** A client as far as its certificate is concerned. */
interface TlsClient {
  /** TLS as it was agreed on. */
  readonly tls: TlsServer | undefined
  /** What its certificates' issuers have against them; empty: nothing. */
  readonly ocspProblem: string
}

/** What is wrong with the client for such a server, in nginx's words; empty: nothing. */
export function clientProblem(client: TlsClient, ssl: SslState): string {
  const peer = client.tls?.peer
  if (peer === undefined) return ssl.verify === VERIFY_ON ? NO_CERTIFICATE : ''
  const { code, text } = resultOf(client, peer, ssl)
  if (code === 0 || (ssl.verify === VERIFY_OPTIONAL_NO_CA && UNKNOWN_ISSUER.has(code))) return client.ocspProblem
  return `(${code}:${text})`
}

/** `$ssl_client_verify`. */
export function clientVerify(client: TlsClient, ssl: SslState): string {
  const peer = client.tls?.peer
  if (peer === undefined) return 'NONE'
  const { code, text } = resultOf(client, peer, ssl)
  const problem = code === 0 ? client.ocspProblem : text
  return problem === '' ? 'SUCCESS' : `FAILED:${problem}`
}

/**
 * OpenSSL's finding, and the length of the chain, which Node cannot give it a limit for. A session has OpenSSL's finding
 * in it, but not the chain: those that were too long are remembered, so that resuming does not help them.
 */
function resultOf({ tls }: TlsClient, peer: TlsPeer, { depth, longChains }: SslState): VerifyResult {
  if (peer.result.code !== 0) return peer.result
  const tooLong = peer.intermediates > depth
  if (longChains === undefined || (!tooLong && tls?.reused !== true)) return tooLong ? CHAIN_TOO_LONG : peer.result
  const key = createHash('sha256').update(peer.raw).digest().latin1Slice() + String(depth)
  if (tooLong) longChains.add(key, 1, clock.seconds, clock.seconds + REMEMBERED_S)
  return tooLong || longChains.find(key, clock.seconds) !== undefined ? CHAIN_TOO_LONG : peer.result
}
