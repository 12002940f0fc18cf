/** Back ends that speak TLS: certificates of every kind, and what is told of the clients that come. */
import fs from 'node:fs'
import tls from 'node:tls'
import { Certificates, type Pair } from '../../harness/certificates.ts'

/** What a back end shows, and what it wants to be shown. */
export type Secured =
  | 'good'
  | 'plain'
  | 'far'
  | 'expired'
  | 'lone'
  | 'revoked'
  | 'old'
  | 'new'
  | 'wanting'
  | 'asking'
  | 'chacha'

interface Made {
  readonly certificates: Certificates
  readonly options: Readonly<Record<Secured, tls.TlsOptions>>
}

let made: Made | undefined

/**
 * Makes them once; they go with the process. The folder has `root.crt`, `both.crt` (root and the one between), `middle.crt`,
 * `lone.example.crt`, `revoked.crl`, and for clients `client`, `stranger` and `secret` (password `open`), each with its key.
 */
function make(): Made {
  const certificates = new Certificates()
  process.once('exit', () => certificates.remove())
  const root = certificates.make('root', { authority: true })
  const middle = certificates.make('middle', { authority: true, issuer: root })
  const good = certificates.make('good.example', { issuer: root, names: ['good.example', '*.wild.example'] })
  const far = certificates.make('far.example', { issuer: middle })
  const revoked = certificates.make('revoked.example', { issuer: root })
  const client = certificates.make('client', { issuer: root })
  certificates.make('stranger')
  certificates.encrypt(certificates.make('secret', { issuer: root }), 'open')
  certificates.revoke(root, [revoked])
  fs.writeFileSync(certificates.path('both.crt'), root.cert + middle.cert)
  fs.writeFileSync(certificates.path('chain.crt'), client.cert + root.cert)
  fs.writeFileSync(certificates.path('passwords'), 'wrong\nopen\n')
  const shown = ({ cert, key }: Pair): tls.TlsOptions => ({ cert, key })
  const asks = { requestCert: true, ca: root.cert, rejectUnauthorized: false }
  const options = {
    good: { ...shown(good), ...asks },
    plain: shown(certificates.make('plain.example', { issuer: root })),
    far: { cert: far.cert + middle.cert, key: far.key },
    expired: shown(certificates.make('expired.example', { issuer: root, expired: true })),
    lone: shown(certificates.make('lone.example')),
    revoked: shown(revoked),
    old: { ...shown(good), ...asks, maxVersion: 'TLSv1.2' },
    new: { ...shown(good), ...asks, minVersion: 'TLSv1.3' },
    wanting: { ...shown(good), ...asks, rejectUnauthorized: true },
    asking: { ...shown(good), ...asks, maxVersion: 'TLSv1.2', rejectUnauthorized: true },
    chacha: { ...shown(good), ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' },
  } as const satisfies Record<Secured, tls.TlsOptions>
  return { certificates, options }
}

/** The folder of the certificates. */
export function securedDir(): string {
  made ??= make()
  return made.certificates.dir
}

/** A server of this kind, which speaks HTTP/2 if `http2` says so; `tell` is given a line for each client. */
export function securedServer(
  kind: Secured,
  http2: boolean,
  onSocket: (socket: tls.TLSSocket) => void,
  tell: (line: string) => void,
): tls.Server {
  made ??= make()
  const protocols = http2 ? { ALPNProtocols: ['h2'] } : {}
  const server = tls.createServer({ ...made.options[kind], ...protocols }, (socket) => {
    tell(described(socket))
    onSocket(socket)
  })
  return server.on('tlsClientError', (error: NodeJS.ErrnoException) => tell(`no TLS: ${error.code}`))
}

function described(socket: tls.TLSSocket): string {
  const { subject } = socket.getPeerCertificate()
  return [
    `TLS ${socket.getProtocol()} ${socket.getCipher().name}`,
    `name ${String(socket.servername)}`,
    `alpn ${String(socket.alpnProtocol)}`,
    `client ${subject?.CN ?? '-'}`,
    socket.isSessionReused() ? 'again' : 'new',
  ].join(', ')
}
