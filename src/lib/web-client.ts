/**
 * Asks other servers by HTTP for libraries that want `fetch`, which cannot be told whom to trust. Answers are short, no
 * redirect is followed, and whoever does not answer in time is given up.
 */
import type http from 'node:http'
import tls from 'node:tls'

/** Who is trusted: PEM texts, and revocation lists; without certificates those of the system and of Node are. */
export interface Trust {
  readonly certificates: string | undefined
  readonly revoked: string | undefined
}

/** What libraries ask for; a part of the Fetch API. */
interface WebRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

/** Asks one URL. */
export type WebClient = (url: string, request: WebRequest) => Promise<Response>

const ANSWER_MAX = 1_048_576
const TIMEOUT_MS = 15_000
/** Answers that have no body, which `Response` insists on. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/** Makes a client that keeps its connections for a while. */
export function webClient({ certificates, revoked }: Trust): WebClient {
  const ca = certificates ?? [...tls.getCACertificates('default'), ...tls.getCACertificates('system')]
  const { http, https } = clients()
  const options = { keepAlive: true, timeout: TIMEOUT_MS }
  const secure = new https.Agent({ ...options, ca, ...(revoked === undefined ? {} : { crl: revoked }) })
  const plain = new http.Agent(options)
  return (url, request) => ask(new URL(url), request, url.startsWith('https:') ? secure : plain)
}

/**
 * Node's clients, from when they are needed. Importing `node:http` makes Node load its whole `fetch` for the sake of names
 * that the module exports, which would be a third of the time that every process of the server takes to start.
 */
function clients() {
  return { http: process.getBuiltinModule('node:http'), https: process.getBuiltinModule('node:https') }
}

function ask(url: URL, { method, headers, body, signal }: WebRequest, agent: http.Agent): Promise<Response> {
  const { http, https } = clients()
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const client = agent instanceof https.Agent ? https : http
  const limit = AbortSignal.timeout(TIMEOUT_MS)
  const until = signal === undefined ? limit : AbortSignal.any([signal, limit])
  const asked = client.request(url, { method, headers, agent, signal: until })
  asked.on('error', reject)
  asked.on('response', (answer) => {
    const pieces: Buffer[] = []
    let size = 0
    answer.on('error', reject)
    answer.on('data', (piece: Buffer) => {
      size += piece.length
      if (size > ANSWER_MAX) asked.destroy(new Error('the answer is too long'))
      else pieces.push(piece)
    })
    answer.on('end', () => resolve(responseOf(answer, Buffer.concat(pieces))))
  })
  if (body === undefined || body === null) asked.end()
  else asked.end(body instanceof Uint8Array ? body : String(body))
  return promise
}

function responseOf({ statusCode: status = 502, rawHeaders }: http.IncomingMessage, body: Buffer): Response {
  const headers = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!)
  return new Response(BODILESS.has(status) ? null : new Uint8Array(body), { status, headers })
}
