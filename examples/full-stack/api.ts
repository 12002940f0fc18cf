/**
 * The back end of the example: notes as a JSON API, the clock as server-sent events, and a WebSocket on which everybody
 * who looks at the page hears what the others write. It keeps everything in memory and listens on a port of its own
 * choice, which it tells the process that started it.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

const HISTORY_MAX = 30
const NOTES_MAX = 200
const BODY_SIZE_MAX = 10_000

interface Note {
  readonly id: number
  readonly text: string
  readonly at: string
}

const notes: Note[] = [
  {
    id: 1,
    text: 'This list comes from a small Node API; Viaduct passes /api/ on to it.',
    at: new Date().toISOString(),
  },
  { id: 2, text: 'Add a note: it is a POST with a JSON body.', at: new Date().toISOString() },
]
let lastId = notes.length
const history: string[] = []
const sockets = new WebSocketServer({ noServer: true, maxPayload: BODY_SIZE_MAX })
let lastName = 0

const server = http.createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error)
    sendJson(response, 400, { error: message })
  })
})

server.on('upgrade', (request, socket, head) => {
  if (request.url !== '/ws/chat') {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    return
  }
  sockets.handleUpgrade(request, socket, head, (client) => welcome(client))
})

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
// Nothing to do once nobody is there who started it.
process.on('disconnect', () => process.exit())

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://api')
  const id = /^\/api\/notes\/(\d+)$/.exec(pathname)?.[1]
  switch (`${request.method} ${id === undefined ? pathname : '/api/notes/:id'}`) {
    case 'GET /api/notes':
      return sendJson(response, 200, notes)
    case 'POST /api/notes':
      return sendJson(response, 201, addNote(await readJson(request)))
    case 'DELETE /api/notes/:id': {
      const index = notes.findIndex((note) => note.id === Number(id))
      if (index < 0) return sendJson(response, 404, { error: 'no such note' })
      notes.splice(index, 1)
      return sendJson(response, 200, notes)
    }
    case 'GET /api/request':
      return sendJson(response, 200, { method: request.method, url: request.url, headers: request.headers })
    case 'GET /api/events':
      return sendEvents(response)
    default:
      return sendJson(response, 404, { error: `nothing at ${request.method} ${pathname}` })
  }
}

function addNote(body: unknown): Note {
  const text = typeof body === 'object' && body !== null && 'text' in body ? body.text : undefined
  if (typeof text !== 'string' || text.trim() === '') throw new Error('a note needs a text')
  const note = { id: ++lastId, text: text.trim().slice(0, 500), at: new Date().toISOString() }
  notes.push(note)
  if (notes.length > NOTES_MAX) notes.shift()
  return note
}

async function readJson(request: http.IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > BODY_SIZE_MAX) throw new Error('the body is too large')
  }
  return JSON.parse(text)
}

function sendJson(response: http.ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(value))
}

/** Tells the time once a second for as long as somebody listens. */
function sendEvents(response: http.ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
  const tell = (): void => {
    response.write(`data: ${new Date().toISOString()}\n\n`)
  }
  tell()
  const timer = setInterval(tell, 1000)
  response.on('close', () => clearInterval(timer))
}

function welcome(client: WebSocket): void {
  const name = `Visitor ${++lastName}`
  client.send(JSON.stringify({ type: 'welcome', name }))
  for (const line of history) client.send(line)
  tellEverybody({ type: 'people', count: sockets.clients.size })
  client.on('message', (data) => {
    const message: unknown = parse(data.toString())
    if (typeof message !== 'object' || message === null) return
    // The page measures how long a message takes there and back.
    if ('ping' in message) client.send(JSON.stringify({ type: 'pong', ping: message.ping }))
    else if ('text' in message && typeof message.text === 'string' && message.text.trim() !== '') {
      history.push(tellEverybody({ type: 'chat', name, text: message.text.trim().slice(0, 500) }))
      if (history.length > HISTORY_MAX) history.shift()
    }
  })
  client.on('close', () => tellEverybody({ type: 'people', count: sockets.clients.size }))
  client.on('error', () => {})
}

function tellEverybody(message: object): string {
  const text = JSON.stringify(message)
  for (const client of sockets.clients) client.send(text)
  return text
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
