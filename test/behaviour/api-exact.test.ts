/** Two workers under load, with changes by the API and reloads meanwhile: nothing is lost, and all counts add up exactly. */
import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CLIENTS = 16
/** test/robustness makes it half a minute. */
const LOAD_MS = Number(process.env['VIADUCT_LOAD_MS'] ?? 3000)

/** One client after another's answer: returns its status. */
function ask(agent: http.Agent, port: number, path: string, method = 'GET', body = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = body === '' ? {} : { 'Content-Length': String(body.length) }
    const request = http.request({ agent, port, host: '127.0.0.1', path, method, headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    request.once('error', reject).end(body)
  })
}

interface Zone {
  readonly processing: number
  readonly requests: number
  readonly discarded: number
  readonly received: number
  readonly sent: number
  readonly responses: { readonly total: number; readonly codes: Readonly<Record<string, number>> }
}
interface PeerNumbers {
  readonly server: string
  readonly requests: number
  readonly active: number
  readonly responses: { readonly total: number }
}

const confOf = (one: Peer, two: Peer): string => `
worker_processes 2;
http {
  upstream u { zone u 256k; server 127.0.0.1:${one.port}; server 127.0.0.1:${two.port}; }
  keyval_zone zone=pairs:16m;
  vhost_traffic_status_zone;
  limit_conn_zone $arg_none zone=none:1m;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name counted;
    status_zone site;
    location / { status_zone proxied; proxy_pass http://u; }
    location /direct { status_zone direct; return 204; }
  }
  server { listen 127.0.0.1:%%PORT_1%%; location /api { api write=on; } location /status { vhost_traffic_status_display; } }
}`

/** An agent that remembers its connections, to know what passed over them. */
class CountingAgent extends http.Agent {
  readonly #sockets: net.Socket[] = []

  override createConnection(options: net.TcpNetConnectOpts): net.Socket {
    const socket = net.connect(options)
    this.#sockets.push(socket)
    return socket
  }

  /** Bytes to the server and from it. */
  get bytes(): readonly [number, number] {
    const sum = (of: (socket: net.Socket) => number): number => this.#sockets.reduce((all, one) => all + of(one), 0)
    return [sum(({ bytesWritten }) => bytesWritten), sum(({ bytesRead }) => bytesRead)]
  }
}

/** Clients, people who change things, and reloads, all at once; and what they know to have happened. */
class Load {
  readonly agent = new CountingAgent({ keepAlive: true, maxSockets: CLIENTS })
  readonly #apiAgent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  readonly #server: Server
  readonly #end = performance.now() + LOAD_MS
  readonly statuses: Record<string, number> = {}
  proxied = 0
  direct = 0
  pairs = 0
  /** What each server was given last, and servers that were added and are to be there in the end. */
  readonly given: [number, number][] = []
  readonly added: string[] = []

  constructor(server: Server) {
    this.#server = server
  }

  get #over(): boolean {
    return performance.now() >= this.#end
  }

  async run(known: string): Promise<void> {
    const clients = Array.from({ length: CLIENTS }, (_, n) => this.#client(n))
    await Promise.all([...clients, this.#changer(0, known), this.#changer(1, known), this.#reloader()])
    this.agent.destroy()
    this.#apiAgent.destroy()
  }

  async #client(n: number): Promise<void> {
    for (let i = 0; !this.#over; i++) {
      const isDirect = (i + n) % 3 === 0
      const status = await ask(this.agent, this.#server.port(0), isDirect ? '/direct' : '/page')
      this.statuses[status] = (this.statuses[status] ?? 0) + 1
      if (isDirect) this.direct++
      else this.proxied++
    }
  }

  async #changer(n: number, known: string): Promise<void> {
    const servers = 'upstreams/u/servers'
    for (let i = 0; !this.#over; i++) {
      const [weight, max_fails] = [1 + (i % 5), i % 3]
      this.given[n] = [weight, max_fails]
      assert.equal(await this.#api(`${servers}/${n}`, 'PATCH', { weight, max_fails }), 200)
      assert.equal(await this.#api(servers, 'POST', { server: known }), 409)
      if (i < 10) {
        // It gets no requests: it is there to be counted.
        const name = `127.1.${n}.${i}:1`
        assert.equal(await this.#api(servers, 'POST', { server: name, down: true }), 201)
        this.added.push(name)
      }
      assert.equal(await this.#api('keyvals/pairs', 'POST', { [`${n} ${i}`]: 'x' }), 201)
      this.pairs++
    }
  }

  #api(path: string, method: string, body: object): Promise<number> {
    return ask(this.#apiAgent, this.#server.port(1), `/api/9/http/${path}`, method, JSON.stringify(body))
  }

  async #reloader(): Promise<void> {
    while (performance.now() < this.#end - 500) await this.#server.reload()
  }
}

async function read<T>(server: Server, path: string): Promise<T> {
  return (await fetch(server.url(path, 1))).json() as Promise<T>
}

async function checkZones(server: Server, { agent, proxied, direct }: Load): Promise<void> {
  const site = await read<Zone>(server, '/api/9/http/server_zones/site')
  assert.deepEqual([site.processing, site.requests, site.discarded], [0, proxied + direct, 0])
  assert.deepEqual(site.responses.codes, { 200: proxied, 204: direct })
  assert.deepEqual([site.received, site.sent], agent.bytes, 'every byte')
  const locations = await read<Record<string, Zone>>(server, '/api/9/http/location_zones')
  assert.deepEqual([locations['proxied']!.requests, locations['direct']!.requests], [proxied, direct])
  interface Page {
    readonly serverZones: Readonly<Record<string, { readonly requestCounter: number }>>
  }
  const page = await read<Page>(server, '/status')
  assert.equal(page.serverZones['counted']!.requestCounter, proxied + direct)
}

async function checkServers(server: Server, { proxied, given, added }: Load): Promise<void> {
  const { peers } = await read<{ peers: PeerNumbers[] }>(server, '/api/9/http/upstreams/u')
  const sum = (of: (peer: PeerNumbers) => number): number => peers.reduce((all, peer) => all + of(peer), 0)
  assert.equal(
    sum(({ requests }) => requests),
    proxied,
  )
  assert.equal(
    sum(({ responses }) => responses.total),
    proxied,
  )
  assert.ok(peers.every(({ active }) => active === 0))
  const lines = await read<{ server: string; weight: number; max_fails: number }[]>(
    server,
    '/api/9/http/upstreams/u/servers',
  )
  const settings = lines.slice(0, 2).map(({ weight, max_fails }) => [weight, max_fails])
  assert.deepEqual(settings, given, 'the last change of each server holds')
  assert.deepEqual(new Set(lines.slice(2).map(({ server: name }) => name)), new Set(added))
  assert.equal(lines.length, 2 + added.length)
}

test('counts add up, no change is lost, no request either', async () => {
  await using one = await Peer.start(() => reply('one'))
  await using two = await Peer.start(() => reply('two'))
  await using server = await startViaduct(confOf(one, two))
  const load = new Load(server)
  await load.run(`127.0.0.1:${one.port}`)
  assert.deepEqual(load.statuses, { 200: load.proxied, 204: load.direct }, 'no request failed')
  assert.equal(one.requests.length + two.requests.length, load.proxied)
  await checkZones(server, load)
  await checkServers(server, load)
  const pairs = await read<object>(server, '/api/9/http/keyvals/pairs')
  assert.equal(Object.keys(pairs).length, load.pairs)
})
