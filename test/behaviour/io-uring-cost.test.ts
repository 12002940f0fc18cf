/**
 * What a request costs on the ring, counted and not timed, so that a busy machine changes nothing: system calls, and bytes of
 * JavaScript's memory. The bounds are what was measured when they were written, and a little more: what raises a figure has
 * to say here why.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { test } from 'node:test'
import { whyNoRing } from '../../src/net/engine.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const skip = whyNoRing()
const options = skip === '' ? {} : { skip }

/** Requests of one window, one after the other on one connection: so nothing depends on what comes together. */
const REQUESTS = 200
/** Of so many the median counts: now and then memory is collected in between. */
const WINDOWS = 15
/** The compiler is done by then. */
const WARM_UP = 8000
const WARM_UP_CONNECTIONS = 4000

/**
 * Preloaded into every thread. The worker, which has the ring, counts what is called through koffi and what the event loop asks of
 * the kernel, and writes the figures when it is told to; the main threads look for the file that asks for them, and tell it.
 */
const COUNTER = (koffi: string): string => `
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'
const here = (name) => new URL(name, import.meta.url)
const word = new BroadcastChannel('figures')
word.unref()
if (isMainThread) setInterval(() => fs.existsSync(here('ask')) && word.postMessage(0), 2).unref()
else {
  const koffi = createRequire(import.meta.url)(${JSON.stringify(koffi)})
  const { load } = koffi
  let calls = 0
  let rings = 0
  koffi.load = (path) => {
    const library = load(path)
    return {
      func(name, ...types) {
        const call = library.func(name, ...types)
        if (name === 'recv') rings++
        return (...words) => (calls++, call(...words))
      },
    }
  }
  word.onmessage = () => {
    if (rings === 0 || !fs.existsSync(here('ask'))) return
    const { loopCount, events } = performance.nodeTiming.uvMetricsInfo
    const used = process.memoryUsage().heapUsed
    fs.unlinkSync(here('ask'))
    fs.writeFileSync(here('figures~'), JSON.stringify({ calls, loop: loopCount + events, used }))
    fs.renameSync(here('figures~'), here('figures'))
  }
}
`

interface Figures {
  /** Calls of ours, and of the event loop. */
  readonly calls: number
  readonly loop: number
  /** Bytes of the heap. */
  readonly used: number
}

async function figuresOf(server: Server): Promise<Figures> {
  fs.writeFileSync(server.prefix.path('ask'), '')
  await server.until('figures', () => fs.existsSync(server.prefix.path('figures')))
  const figures = JSON.parse(server.prefix.read('figures')) as Figures
  fs.unlinkSync(server.prefix.path('figures'))
  return figures
}

/** What a request costs, by the medians of all windows. */
async function costOf(server: Server, client: Asker): Promise<Figures> {
  const windows: Figures[] = []
  for (let i = 0; i < WINDOWS; i++) {
    const before = await figuresOf(server)
    await client.ask(REQUESTS)
    const after = await figuresOf(server)
    windows.push({
      calls: (after.calls - before.calls) / REQUESTS,
      loop: (after.loop - before.loop) / REQUESTS,
      used: (after.used - before.used) / REQUESTS,
    })
  }
  const median = (name: keyof Figures): number => windows.map((one) => one[name]).sort((a, b) => a - b)[WINDOWS >> 1]!
  return { calls: median('calls'), loop: median('loop'), used: median('used') }
}

/** Who asks again when it has the answer. */
interface Asker extends Disposable {
  ask(times: number): Promise<void>
}

/** The same with a connection for each request. */
class Newcomers implements Asker {
  readonly #port: number
  readonly #request: string

  constructor(server: Server, request: string) {
    this.#port = server.port()
    this.#request = request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
  }

  async ask(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      const socket = net.connect({ port: this.#port, host: '127.0.0.1' })
      socket.write(this.#request)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      assert.equal(answer.latin1Slice(9, 12), '200')
      await once(socket, 'close')
    }
  }

  [Symbol.dispose](): void {}
}

/** A client of one connection. */
class Client implements Asker {
  readonly #socket: net.Socket
  readonly #request: string

  constructor(server: Server, request: string) {
    this.#socket = net.connect({ port: server.port(), host: '127.0.0.1', noDelay: true })
    this.#request = request
  }

  async ask(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.#socket.write(this.#request)
      const [answer] = (await once(this.#socket, 'data')) as [Buffer]
      assert.equal(answer.latin1Slice(9, 12), '200')
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

/** Answers at once, with as little as a back end may say. */
async function startBackEnd(): Promise<net.Server> {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nbehind'
  const back = net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write(answer))
  })
  await once(back.listen(0, '127.0.0.1'), 'listening')
  return back
}

for (const { what, target, Kind, warmUp, callsMax, loopMax, usedMax } of [
  { what: 'a fixed response', target: '/fixed', Kind: Client, warmUp: WARM_UP, callsMax: 2, loopMax: 4, usedMax: 1200 },
  {
    what: 'a response that is passed on',
    target: '/',
    Kind: Client,
    warmUp: WARM_UP,
    callsMax: 4,
    loopMax: 6,
    usedMax: 1900,
  },
  {
    what: 'a connection for one response',
    target: '/fixed',
    Kind: Newcomers,
    warmUp: WARM_UP_CONNECTIONS,
    // 4 and 2 where nothing else runs: what belongs to one connection comes in several turns when its client is kept waiting.
    callsMax: 7,
    loopMax: 6,
    usedMax: 4000,
  },
]) {
  test(`${what}: system calls and memory`, options, async (t) => {
    await using back = await startBackEnd()
    const files = { 'counter.mjs': COUNTER(createRequire(import.meta.url).resolve('koffi')) }
    const env = { NODE_OPTIONS: '--import=./counter.mjs' }
    await using server = await startViaduct(
      `events { use io_uring; } worker_processes 1;
      error_log %%DIR%%/error.log notice;
      http { access_log off; keepalive_requests 1000000;
        upstream back { server 127.0.0.1:${(back.address() as net.AddressInfo).port}; keepalive 4; keepalive_requests 1000000; }
        server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://back; } location /fixed { return 200 fixed; } } }`,
      { files, env, cwd: true, prepare: (dir) => fs.chmodSync(dir, 0o777) },
    )
    using client = new Kind(
      server,
      `GET ${target} HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n`,
    )
    await client.ask(warmUp)
    const { calls, loop, used } = await costOf(server, client)
    t.diagnostic(`${calls.toFixed(2)} calls and ${loop.toFixed(2)} of the event loop, ${Math.round(used)} bytes`)
    assert.ok(calls > 0 && calls <= callsMax + 0.1, `${calls} calls`)
    assert.ok(loop > 0 && loop <= loopMax, `${loop} of the event loop`)
    assert.ok(used > 0 && used <= usedMax, `${used} bytes`)
  })
}
