/** The variables of ngx_http_ssl_module. */
import { createHash, X509Certificate } from 'node:crypto'
import { escapeUri } from '../../../http/message/uri.ts'
import type { Request } from '../../../http/request/request.ts'
import { clock } from '../../../lib/clock.ts'
import type { HelloFacts } from '../../../net/client-hello.ts'
import type { TlsServer } from '../../../net/tls-server.ts'
import { clientVerify } from '../../../tls/client-certificate.ts'
import { cipherNames, codesOf, codeText, groupName, groupNames } from '../../../tls/code-names.ts'
import { certificateParts, onelineName, rfc2253Name } from '../../../tls/distinguished-name.ts'
import { sessionGroup, sessionId } from '../../../tls/session-facts.ts'
import { clientSignature, ownSignature } from '../../../tls/signature-algorithms.ts'
import type { Getter } from '../../../value/variables.ts'

const DAY_S = 86400

/** Nothing where there is no TLS, or nothing to tell. */
function ofTls(get: (tls: TlsServer, r: Request) => string): Getter<Request> {
  return (r) => {
    const { tls } = r.client
    return tls === undefined ? undefined : get(tls, r) || undefined
  }
}

/** The same of the client's certificate, in DER. */
function ofCertificate(get: (raw: Buffer) => string): Getter<Request> {
  return ofTls(({ peer }) => (peer === undefined ? '' : get(peer.raw)))
}

function ofSession(get: (session: Buffer) => string): Getter<Request> {
  return ofTls(({ session }) => (session === undefined ? '' : get(session)))
}

/** What the client said is known before TLS is agreed on: certificates are named by it. */
function ofHello(get: (hello: HelloFacts) => string): Getter<Request> {
  return (r) => {
    const { hello } = r.client
    return hello === undefined ? undefined : get(hello) || undefined
  }
}

export const sslVariables: Readonly<Record<string, Getter<Request>>> = {
  ssl_protocol: ofTls((tls) => tls.protocol),
  ssl_cipher: ofTls((tls) => tls.cipher),
  ssl_ciphers: ofHello((hello) => cipherNames(hello.ciphers)),
  ssl_curve: ofSession(curveOf),
  ssl_curves: ofHello((hello) => groupNames(hello.groups)),
  ssl_sigalg: ofTls(ownSigalg),
  ssl_sigalgs: ofHello((hello) => codesOf(hello.signatureAlgorithms).map(codeText).join(':')),
  ssl_session_id: ofSession(sessionId),
  ssl_session_reused: ofTls((tls) => (tls.reused ? 'r' : '.')),
  ssl_early_data: ofTls((tls) => (tls.early ? '1' : '')),
  ssl_server_name: ofHello((hello) => hello.serverName),
  ssl_alpn_protocol: ofTls((tls) => tls.alpnProtocol),
  ssl_ech_status: () => undefined,
  ssl_ech_outer_server_name: () => undefined,
  ssl_client_cert: ofCertificate((raw) => pemOf(raw).slice(0, -1).replaceAll('\n', '\n\t')),
  ssl_client_raw_cert: ofCertificate(pemOf),
  ssl_client_escaped_cert: ofCertificate((raw) => escapeUri(pemOf(raw), 'uri-component')),
  ssl_client_s_dn: ofCertificate((raw) => nameOf(raw, 'subject', rfc2253Name)),
  ssl_client_i_dn: ofCertificate((raw) => nameOf(raw, 'issuer', rfc2253Name)),
  ssl_client_s_dn_legacy: ofCertificate((raw) => nameOf(raw, 'subject', onelineName)),
  ssl_client_i_dn_legacy: ofCertificate((raw) => nameOf(raw, 'issuer', onelineName)),
  ssl_client_serial: ofCertificate((raw) => new X509Certificate(raw).serialNumber),
  ssl_client_fingerprint: ofCertificate((raw) => createHash('sha1').update(raw).digest('hex')),
  ssl_client_verify: ofTls((_, r) => clientVerify(r.client, r.server.ssl)),
  ssl_client_v_start: ofCertificate((raw) => new X509Certificate(raw).validFrom),
  ssl_client_v_end: ofCertificate((raw) => new X509Certificate(raw).validTo),
  ssl_client_v_remain: ofCertificate(daysLeft),
  ssl_client_sigalg: ofTls(clientSigalg),
}

function curveOf(session: Buffer): string {
  const code = sessionGroup(session)
  return code === 0 ? '' : groupName(code)
}

function ownSigalg(tls: TlsServer, { client, server }: Request): string {
  const own = tls.reused ? undefined : tls.ownCertificate
  if (own === undefined || client.hello === undefined) return ''
  return ownSignature(own, client.hello.signatureAlgorithms, tls.protocol === 'TLSv1.3', server.ssl.ordered)
}

function clientSigalg(tls: TlsServer, { client }: Request): string {
  const { peer } = tls
  if (peer === undefined || tls.reused || client.hello === undefined) return ''
  const is13 = tls.protocol === 'TLSv1.3'
  return clientSignature(new X509Certificate(peer.raw), client.hello.signatureAlgorithms, is13)
}

function pemOf(raw: Buffer): string {
  const lines = raw.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}

function nameOf(raw: Buffer, which: 'subject' | 'issuer', format: typeof rfc2253Name): string {
  const parts = certificateParts(raw)
  return parts === undefined ? '' : format(raw, parts[which])
}

function daysLeft(raw: Buffer): string {
  const left = Date.parse(new X509Certificate(raw).validTo) / 1000 - clock.seconds
  return left < DAY_S ? '0' : String(Math.floor(left / DAY_S))
}
