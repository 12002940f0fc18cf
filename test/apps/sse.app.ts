/**
 * Server-sent events as guides configure them: with `proxy_buffering off`, and with `X-Accel-Buffering: no` from the
 * application. The back end sends an event only when the client has seen the one before, so that holding one back stops
 * the test instead of slowing it down. Streams go on for a minute, far beyond the time-outs that are set here: it is the
 * events that keep them alive.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const EVENTS = 500
/** Streams at a time. */
const STREAMS = 20
const LONG_MS = 60_000
const BEAT_MS = 1000

const running = new AsyncDisposableStack()
let server: Server
/** The open streams by the name that the client gave. */
const streams = new Map<string, http.ServerResponse>()

before(async () => {
  const app = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://x')
    const accel: Record<string, string> = pathname.startsWith('/accel') ? { 'X-Accel-Buffering': 'no' } : {}
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', ...accel })
    response.flushHeaders()
    const name = searchParams.get('name')!
    streams.set(name, response)
    response.on('close', () => streams.delete(name))
  })
  await once(app.listen(0, '127.0.0.1'), 'listening')
  running.defer(() => {
    app.closeAllConnections()
    app.close()
  })
  const { port } = app.address() as net.AddressInfo
  server = running.use(
    await startViaduct(`http {
      proxy_http_version 1.1; proxy_set_header Connection "";
      gzip on; gzip_types text/event-stream;
      send_timeout 1s; keepalive_timeout 1s; proxy_send_timeout 1s;
      server {
        listen 127.0.0.1:%%PORT_0%%;
        location /off { proxy_pass http://127.0.0.1:${port}; proxy_buffering off; proxy_cache off; proxy_read_timeout 3s; }
        location /accel { proxy_pass http://127.0.0.1:${port}; proxy_read_timeout 3s; }
      }
    }`),
  )
})
after(() => running.disposeAsync())

/** A stream as a browser reads it. */
class Events {
  readonly response: http.IncomingMessage
  readonly name: string
  readonly #texts: AsyncIterator<string>
  #rest = ''

  private constructor(name: string, response: http.IncomingMessage) {
    this.name = name
    this.response = response
    this.#texts = response.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>
  }

  static async open(path: string, name: string): Promise<Events> {
    const request = http.get(server.url(`${path}?name=${name}`), {
      agent: false,
      headers: { Accept: 'text/event-stream' },
    })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    assert.equal(response.statusCode, 200)
    assert.equal(response.headers['content-type'], 'text/event-stream')
    return new Events(name, response)
  }

  /** Has the application end the stream, and resolves when the client sees that, with what came before. */
  async end(): Promise<string> {
    streams.get(this.name)!.end()
    for (;;) {
      const { value, done } = await this.#texts.next()
      if (done) return this.#rest
      this.#rest += value
    }
  }

  /** Has the application send an event, and resolves with what the client sees next. */
  async event(text: string): Promise<string> {
    streams.get(this.name)!.write(`data: ${text}\n\n`)
    while (!this.#rest.includes('\n\n')) {
      const { value, done } = await this.#texts.next()
      if (done) throw new Error(`the stream ended with ${JSON.stringify(this.#rest)}`)
      this.#rest += value
    }
    const end = this.#rest.indexOf('\n\n')
    const first = this.#rest.slice(0, end)
    this.#rest = this.#rest.slice(end + 2)
    return first
  }
}

for (const path of ['/off', '/accel']) {
  test(`${path}: each event arrives before the next is sent`, async () => {
    const events = await Events.open(path, 'one')
    for (let n = 0; n < EVENTS; n++) assert.equal(await events.event(`${n}`), `data: ${n}`)
    const big = 'x'.repeat(300_000)
    assert.equal(await events.event(big), `data: ${big}`)
    events.response.destroy()
    await server.until('the application is told that the client left', () => !streams.has('one'))
  })
}

test('many streams for a minute, each silent for less than proxy_read_timeout', async (t) => {
  const opened = Array.from({ length: STREAMS }, (_, n) => Events.open(n % 2 === 0 ? '/off' : '/accel', `long${n}`))
  const all = await Promise.all(opened)
  const start = performance.now()
  let beats = 0
  for (; performance.now() - start < LONG_MS; beats++) {
    await Promise.all(all.map(async (events) => assert.equal(await events.event(`${beats}`), `data: ${beats}`)))
    await new Promise((resolve) => setTimeout(resolve, BEAT_MS))
  }
  t.diagnostic(`${all.length} streams, ${beats} events each`)
  assert.deepEqual(
    await Promise.all(all.map((events) => events.end())),
    all.map(() => ''),
  )
})

test('X-Accel-Buffering is not passed on', async () => {
  const events = await Events.open('/accel', 'header')
  assert.equal(events.response.headers['x-accel-buffering'], undefined)
  events.response.destroy()
})
