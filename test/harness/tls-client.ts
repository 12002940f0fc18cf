/** A client that speaks TLS: one request per connection, and what was agreed on. */
import { once } from 'node:events'
import tls from 'node:tls'

/** What came of a request. */
export interface TlsAnswer {
  readonly status: number
  /** The head as it came, without its last line end. */
  readonly head: string
  readonly body: string
  readonly protocol: string
  readonly cipher: string
  readonly reused: boolean
  readonly alpn: string
  /** Common name of the server's certificate. */
  readonly subject: string
  /** Type of the server's key. */
  readonly keyType: string
  /** For the next connection. */
  readonly session: Buffer | undefined
  /** The stapled answer. */
  readonly ocsp: Buffer | undefined
}

/** How to ask. */
export interface AskOptions extends tls.ConnectionOptions {
  readonly path?: string
  /** The Host field; `servername` unless given. */
  readonly host?: string
  /** Lines of the head besides. */
  readonly lines?: string
}

/** Asks the server at `port` of this machine; rejects when the handshake fails. */
export async function askTls(port: number, options: AskOptions = {}): Promise<TlsAnswer> {
  const { path = '/', servername = '', host = servername || 'localhost', lines = '', ...rest } = options
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, servername, ...rest })
  let session: Buffer | undefined
  let ocsp: Buffer | undefined
  let text = ''
  socket.on('session', (made: Buffer) => {
    session = made
  })
  socket.on('OCSPResponse', (answer: Buffer | null) => {
    ocsp = answer ?? undefined
  })
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part
  })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerX509Certificate()
  const agreed = {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().name,
    reused: socket.isSessionReused(),
    alpn: socket.alpnProtocol || '',
    subject: /CN=(.*)/.exec(certificate?.subject ?? '')?.[1] ?? '',
    keyType: certificate?.publicKey.asymmetricKeyType ?? '',
  }
  // A renewed ticket of TLS 1.2 comes without an event.
  if (agreed.protocol === 'TLSv1.2') session = socket.getSession()
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${lines}Connection: close\r\n\r\n`)
  await once(socket, 'close')
  const end = text.indexOf('\r\n\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
  return { ...agreed, status, head: text.slice(0, end), body: text.slice(end + 4), session, ocsp }
}

/**
 * The session that was made with a server of one name, for a connection to another: Node keeps the name with the session
 * (prefix, length, name, session) and would not offer it.
 */
export function sessionFor(session: Buffer, from: string, to: string): Buffer {
  const at = session.indexOf(`\0${String.fromCharCode(from.length)}${from}`, 0, 'latin1')
  if (at < 0) throw new Error('Node keeps sessions in another form')
  const name = Buffer.from(`\0${String.fromCharCode(to.length)}${to}`, 'latin1')
  return Buffer.concat([session.subarray(0, at), name, session.subarray(at + 2 + from.length)])
}

/** Why a handshake fails: the alert, or the error's code. */
export async function refusalOf(port: number, options: AskOptions = {}): Promise<string> {
  try {
    const { status } = await askTls(port, options)
    return `answered ${status}`
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
