/** The directives of ngx_http_ssl_module. */
import { bits, flag, milliseconds, number, oneOf, prefixPath, seconds, size, text } from '../config/args.ts'
import { type ConfOf, type Context, directive, directives } from '../config/directive.ts'
import { ocspCache, sessionCache } from './cache-options.ts'
import { certificateCache, confCommand, namedFile, pemSource } from './sources.ts'

const HS: readonly Context[] = ['http', 'server']

export const sslDirectives = {
  ssl_certificate: directives({
    in: HS,
    args: pemSource,
    doc: 'A certificate with those that lead to its root. Several of different kinds (RSA, ECDSA) may be given. The file is watched: a renewed one is used without a reload, once it fits to its key.',
  }),
  ssl_certificate_key: directives({
    in: HS,
    args: pemSource,
    doc: 'The key of the certificate at the same place; `data:` and the text itself, or `store:file:` and a path.',
  }),
  ssl_certificate_cache: directive({
    in: HS,
    args: certificateCache,
    default: 'off',
    doc: 'Keeps certificates and keys whose names have variables.',
  }),
  ssl_ech_file: directives({
    in: HS,
    args: namedFile,
    doc: 'Keys of Encrypted ClientHello. OpenSSL 3 does not have it.',
  }),
  ssl_password_file: directive({ in: HS, args: namedFile, doc: 'Passwords of encrypted keys, one per line.' }),
  ssl_certificate_compression: directive({
    in: HS,
    args: flag,
    default: 'off',
    doc: 'Compresses certificates for clients that can take them so (RFC 8879).',
  }),
  ssl_dhparam: directive({ in: HS, args: namedFile, doc: 'Parameters of DHE ciphers; without them there are none.' }),
  ssl_ecdh_curve: directive({
    in: HS,
    args: text('curve'),
    default: 'auto',
    doc: 'Groups of the key exchange, as OpenSSL lists them.',
  }),
  ssl_protocols: directive({
    in: HS,
    args: bits('SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'),
    default: 'TLSv1.2 TLSv1.3',
    doc: 'Versions of TLS that clients may speak.',
  }),
  ssl_ciphers: directive({
    in: HS,
    args: text('ciphers'),
    default: 'HIGH:!aNULL:!MD5',
    doc: 'Ciphers, as OpenSSL lists them.',
  }),
  ssl_buffer_size: directive({
    in: HS,
    args: size,
    default: '16k',
    doc: 'The largest record that is sent: small ones reach the client sooner, large ones cost less.',
  }),
  ssl_verify_client: directive({
    in: HS,
    args: oneOf('off', 'on', 'optional', 'optional_no_ca'),
    default: 'off',
    doc: 'Asks clients for a certificate and verifies it.',
  }),
  ssl_verify_depth: directive({
    in: HS,
    args: number(),
    default: '1',
    doc: "Most certificates between a client's and the trusted one.",
  }),
  ssl_client_certificate: directive({
    in: HS,
    args: namedFile,
    doc: "Trusted certificates that those of clients are verified by. Clients are told their subjects' names.",
  }),
  ssl_trusted_certificate: directive({
    in: HS,
    args: namedFile,
    doc: 'More trusted certificates, whose names clients are not told; they may also have the issuer that stapling asks.',
  }),
  ssl_prefer_server_ciphers: directive({
    in: HS,
    args: flag,
    default: 'off',
    doc: "Chooses by the server's order of ciphers.",
  }),
  ssl_session_cache: directive({
    in: HS,
    args: sessionCache,
    duplicate: false,
    default: 'none',
    doc: 'Where sessions are kept: in each worker (builtin) or shared by all and over reloads.',
  }),
  ssl_session_tickets: directive({
    in: HS,
    args: flag,
    default: 'on',
    doc: 'Lets clients keep sessions, encrypted with keys that all workers share and that outlast reloads.',
  }),
  ssl_session_ticket_key: directives({
    in: HS,
    args: namedFile,
    doc: "Keys of tickets, the first for new ones: 48 bytes, interchangeable with nginx's, or 80, of which Viaduct uses 128 bits for AES.",
  }),
  ssl_session_timeout: directive({
    in: HS,
    args: seconds,
    default: '5m',
    doc: 'How long a session may be resumed.',
  }),
  ssl_crl: directive({ in: HS, args: namedFile, doc: 'Revoked certificates of clients.' }),
  ssl_ocsp: directive({
    in: HS,
    args: oneOf('off', 'on', 'leaf'),
    default: 'off',
    doc: "Asks who issued a client's certificates whether they are still valid.",
  }),
  ssl_ocsp_responder: directive({
    in: HS,
    args: text('url'),
    doc: 'Where to ask, instead of what a certificate says.',
  }),
  ssl_ocsp_cache: directive({ in: HS, args: ocspCache, default: 'off', doc: 'A zone for the answers.' }),
  ssl_stapling: directive({
    in: HS,
    args: flag,
    default: 'off',
    doc: "Proves to clients that our certificate is still valid, with its issuer's answer. With certificates of several kinds only for TLS 1.3: before, it is not known in time which one will be shown.",
  }),
  ssl_stapling_file: directive({ in: HS, args: namedFile, doc: 'The answer, in DER, instead of asking for it.' }),
  ssl_stapling_responder: directive({
    in: HS,
    args: text('url'),
    doc: 'Where to ask, instead of what the certificate says.',
  }),
  ssl_stapling_verify: directive({ in: HS, args: flag, default: 'off', doc: 'Verifies the answers to be stapled.' }),
  ssl_dyn_rec_enable: directive({
    in: HS,
    args: flag,
    default: 'off',
    doc:
      'Sends small records first, which a client can use as soon as one packet is there, and larger ones when more is on its ' +
      "way (Cloudflare's patch of nginx). Only where TLS is on io_uring.",
  }),
  ssl_dyn_rec_timeout: directive({
    in: HS,
    args: milliseconds,
    default: '1s',
    doc: 'After a silence of this length records are small once more.',
  }),
  ssl_dyn_rec_size_lo: directive({ in: HS, args: size, default: '1369', doc: 'Size of the first records: a packet.' }),
  ssl_dyn_rec_size_hi: directive({
    in: HS,
    args: size,
    default: '4229',
    doc: 'Size of those that follow: three packets.',
  }),
  ssl_dyn_rec_threshold: directive({
    in: HS,
    args: number(),
    default: '40',
    doc: 'How many records there are of the first size, and then of the second; `ssl_buffer_size` holds for the rest.',
  }),
  ssl_early_data: directive({
    in: HS,
    args: flag,
    default: 'off',
    doc:
      'Takes requests that come with the first message of a handshake (0-RTT), where TLS is on io_uring; Node.js ' +
      'cannot. Whoever has recorded such a message can repeat it: tell back ends by ' +
      '`proxy_set_header Early-Data $ssl_early_data`.',
  }),
  ssl_conf_command: directives({
    in: HS,
    args: confCommand,
    doc: 'Settings of OpenSSL: Options, CipherString, Ciphersuites, MinProtocol, MaxProtocol, Groups and others.',
  }),
  ssl_key_log: directive({
    in: HS,
    args: prefixPath(),
    doc: 'A file for the secrets of connections, with which recorded traffic can be read.',
  }),
  ssl_reject_handshake: directive({
    in: HS,
    args: flag,
    default: 'off',
    doc: 'Refuses clients that ask for this server by its name, or by none.',
  }),
}

/** The settings of a server. */
export type SslServerConf = ConfOf<typeof sslDirectives>
