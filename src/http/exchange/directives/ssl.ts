/**
 * What the protocols that can speak TLS to a back end have in common. Declared once and mounted as `proxy_ssl_*`,
 * `grpc_ssl_*`, `uwsgi_ssl_*` (nginx declares them again per protocol).
 */
import { bits, flag, number, prefixPath, text } from '../../../config/args.ts'
import { type ConfOf, type Context, directive, directives } from '../../../config/directive.ts'
import { certificateCache, confCommand, namedFile, pemSource } from '../../../tls/sources.ts'
import { template } from '../../../value/template.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']
/** The options, without the prefix (`proxy_` ...) that each family gives them. */
export const ssl = {
  ssl_session_reuse: directive({
    in: HSL,
    args: flag,
    default: 'on',
    doc: 'Uses TLS sessions with a back end again, which shortens handshakes.',
  }),
  ssl_protocols: directive({
    in: HSL,
    args: bits('SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'),
    default: 'TLSv1.2 TLSv1.3',
    doc: 'Versions of TLS that back ends are spoken to with.',
  }),
  ssl_ciphers: directive({
    in: HSL,
    args: text('ciphers'),
    default: 'DEFAULT',
    doc: 'Ciphers, as OpenSSL lists them.',
  }),
  ssl_name: directive({
    in: HSL,
    args: template('name'),
    doc: 'The name that the certificate of a back end must have, and that is sent to it; by default the host passed to.',
  }),
  ssl_server_name: directive({ in: HSL, args: flag, default: 'off', doc: 'Tells back ends the name (SNI).' }),
  ssl_verify: directive({ in: HSL, args: flag, default: 'off', doc: 'Verifies the certificates of back ends.' }),
  ssl_verify_depth: directive({
    in: HSL,
    args: number(),
    default: '1',
    doc: 'Most certificates between that of a back end and the trusted one.',
  }),
  ssl_trusted_certificate: directive({
    in: HSL,
    args: namedFile,
    doc: 'Trusted certificates that those of back ends are verified by.',
  }),
  ssl_crl: directive({ in: HSL, args: namedFile, doc: 'Revoked certificates.' }),
  ssl_certificate: directive({ in: HSL, args: pemSource, doc: 'The certificate that is shown to back ends.' }),
  ssl_certificate_key: directive({ in: HSL, args: pemSource, doc: 'The key of the certificate.' }),
  ssl_certificate_cache: directive({
    in: HSL,
    args: certificateCache,
    default: 'off',
    doc: 'Keeps certificates and keys whose names have variables.',
  }),
  ssl_password_file: directive({ in: HSL, args: namedFile, doc: 'Passwords of encrypted keys, one per line.' }),
  ssl_conf_command: directives({
    in: HSL,
    args: confCommand,
    doc: 'Settings of OpenSSL: Options, CipherString, Ciphersuites, MinProtocol, MaxProtocol, Groups and others.',
  }),
  ssl_key_log: directive({
    in: HSL,
    args: prefixPath(),
    doc: 'A file for the secrets of connections, with which recorded traffic can be read.',
  }),
}

/** The settings of `ssl`. */
export type SslConf = ConfOf<typeof ssl>

/** The settings of a family without its prefix. */
export function sslConf(prefix: string, conf: object): SslConf {
  const given = conf as Readonly<Record<string, unknown>>
  const settings = Object.keys(ssl).map((name) => [name, given[`${prefix}_${name}`]])
  // The directives of the family are exactly these, read by these readers.
  return Object.fromEntries(settings) as SslConf
}
