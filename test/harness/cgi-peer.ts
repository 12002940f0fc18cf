/**
 * An application behind uwsgi or SCGI, made of a raw socket: keeps every request and answers what the test says, then
 * ends the connection.
 */
import { once } from 'node:events'
import net from 'node:net'

/** How a request is read: its parameters and where its body begins; undefined when more is needed. */
type Reader = (text: string) => { readonly pairs: (readonly [string, string])[]; readonly bodyAt: number } | undefined

/** One request as the application saw it; text is one byte per char. */
export interface CgiRequest {
  readonly pairs: readonly (readonly [string, string])[]
  readonly params: ReadonlyMap<string, string>
  /** As many bytes as CONTENT_LENGTH says. */
  readonly body: string
  /** The first bytes, with the modifiers of uwsgi. */
  readonly start: string
  readonly socket: net.Socket
}

/** What is sent back at once; undefined when the test writes to `request.socket` itself. */
type Answer = (request: CgiRequest) => string | undefined

/** A listening application; its disposal ends every connection. */
export class CgiPeer implements AsyncDisposable {
  readonly requests: CgiRequest[] = []
  readonly #server: net.Server
  readonly #sockets: net.Socket[] = []

  private constructor(read: Reader, answer: Answer) {
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.push(socket)
      let text = ''
      let done = false
      socket.on('error', () => {})
      socket.on('end', () => socket.end())
      socket.setEncoding('latin1').on('data', (piece: string) => {
        text += piece
        const head = done ? undefined : read(text)
        if (head === undefined) return
        const params = new Map(head.pairs)
        const size = Number(params.get('CONTENT_LENGTH') || 0)
        if (text.length < head.bodyAt + size) return
        done = true
        const body = text.slice(head.bodyAt, head.bodyAt + size)
        const request = { pairs: head.pairs, params, body, start: text.slice(0, 4), socket }
        this.requests.push(request)
        const reply = answer(request)
        if (reply !== undefined) socket.end(reply, 'latin1')
      })
    })
  }

  static async uwsgi(answer: Answer): Promise<CgiPeer> {
    return CgiPeer.#start(readUwsgi, answer)
  }

  static async scgi(answer: Answer): Promise<CgiPeer> {
    return CgiPeer.#start(readScgi, answer)
  }

  static async #start(read: Reader, answer: Answer): Promise<CgiPeer> {
    const peer = new CgiPeer(read, answer)
    await once(peer.#server.listen(0, '127.0.0.1'), 'listening')
    return peer
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

function readUwsgi(text: string): ReturnType<Reader> {
  const size = (at: number): number => text.charCodeAt(at) + text.charCodeAt(at + 1) * 256
  const bodyAt = 4 + size(1)
  if (text.length < 4 || text.length < bodyAt) return undefined
  const pairs: (readonly [string, string])[] = []
  for (let at = 4; at < bodyAt; ) {
    const valueAt = at + 2 + size(at)
    const end = valueAt + 2 + size(valueAt)
    pairs.push([text.slice(at + 2, valueAt), text.slice(valueAt + 2, end)])
    at = end
  }
  return { pairs, bodyAt }
}

function readScgi(text: string): ReturnType<Reader> {
  const [whole, digits] = /^(\d+):/.exec(text) ?? []
  if (whole === undefined) return undefined
  const end = whole.length + Number(digits)
  if (text.length < end + 1) return undefined
  if (text[end] !== ',') throw new Error(`no netstring: ${JSON.stringify(text)}`)
  const words = text.slice(whole.length, end).split('\0')
  const pairs = Array.from(
    { length: Math.floor(words.length / 2) },
    (_, i) => [words[2 * i]!, words[2 * i + 1]!] as const,
  )
  if (pairs[0]?.[0] !== 'CONTENT_LENGTH') throw new Error('CONTENT_LENGTH comes first')
  return { pairs, bodyAt: end + 1 }
}
