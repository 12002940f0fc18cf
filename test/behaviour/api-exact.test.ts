/** Two workers under load, with changes by the API and reloads meanwhile: nothing is lost, and all counts add up exactly. */
import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

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

test('counts add up, no change is lost, no request either', async () => {
  await using one = await Peer.start(() => reply('one'))
  await using two = await Peer.start(() => reply('two'))
  await using server = await startViaduct(confOf(one, two))
  const agent = new CountingAgent({ keepAlive: true, maxSockets: CLIENTS })
  const apiAgent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  const end = performance.now() + LOAD_MS
  const statuses: Record<string, number> = {}
  let proxied = 0
  let direct = 0
  const client = async (n: number): Promise<void> => {
    for (let i = 0; performance.now() < end; i++) {
      const isDirect = (i + n) % 3 === 0
      const status = await ask(agent, server.port(0), isDirect ? '/direct' : '/page')
      statuses[status] = (statuses[status] ?? 0) + 1
      if (isDirect) direct++
      else proxied++
    }
  }
  const api = (path: string, method: string, body: object): Promise<number> =>
    ask(apiAgent, server.port(1), `/api/9/http/${path}`, method, JSON.stringify(body))
  let pairs = 0
  /** What each server was given last, and servers that were added and are to be there in the end. */
  const given: [number, number][] = []
  const added: string[] = []
  const changer = async (n: number): Promise<void> => {
    for (let i = 0; performance.now() < end; i++) {
      const servers = 'upstreams/u/servers'
      given[n] = [1 + (i % 5), i % 3]
      assert.equal(await api(`${servers}/${n}`, 'PATCH', { weight: given[n]![0], max_fails: given[n]![1] }), 200)
      assert.equal(await api(servers, 'POST', { server: `127.0.0.1:${one.port}` }), 409)
      if (i < 10) {
        // It gets no requests: it is there to be counted.
        const name = `127.1.${n}.${i}:1`
        assert.equal(await api(servers, 'POST', { server: name, down: true }), 201)
        added.push(name)
      }
      assert.equal(await api('keyvals/pairs', 'POST', { [`${n} ${i}`]: 'x' }), 201)
      pairs++
    }
  }
  const reloader = async (): Promise<void> => {
    while (performance.now() < end - 500) await server.reload()
  }
  const clients = Array.from({ length: CLIENTS }, (_, n) => client(n))
  await Promise.all([...clients, changer(0), changer(1), reloader()])
  agent.destroy()
  apiAgent.destroy()

  const read = async <T>(path: string): Promise<T> =>
    (await (await fetch(server.url(`/api/9/http/${path}`, 1))).json()) as T
  assert.deepEqual(statuses, { 200: proxied, 204: direct }, 'no request failed')
  const site = await read<Zone>('server_zones/site')
  assert.deepEqual([site.processing, site.requests, site.discarded], [0, proxied + direct, 0])
  assert.deepEqual(site.responses.codes, { 200: proxied, 204: direct })
  assert.deepEqual([site.received, site.sent], agent.bytes, 'every byte')
  const locations = await read<Record<string, Zone>>('location_zones')
  assert.deepEqual([locations['proxied']!.requests, locations['direct']!.requests], [proxied, direct])
  const { peers } = await read<{ peers: PeerNumbers[] }>('upstreams/u')
  assert.equal(
    peers.reduce((sum, { requests }) => sum + requests, 0),
    proxied,
  )
  assert.equal(
    peers.reduce((sum, { responses }) => sum + responses.total, 0),
    proxied,
  )
  assert.ok(peers.every(({ active }) => active === 0))
  const servers =
    await read<{ server: string; weight: number; max_fails: number; down: boolean }[]>('upstreams/u/servers')
  assert.deepEqual(
    servers.slice(0, 2).map(({ weight, max_fails }) => [weight, max_fails]),
    given,
    'the last change of each server holds',
  )
  assert.deepEqual(
    servers
      .slice(2)
      .map(({ server: name }) => name)
      .toSorted(),
    added.toSorted(),
  )
  interface Page {
    readonly serverZones: Readonly<Record<string, { readonly requestCounter: number }>>
  }
  const page = (await (await fetch(server.url('/status', 1))).json()) as Page
  assert.equal(page.serverZones['counted']!.requestCounter, proxied + direct)
  assert.equal(one.requests.length + two.requests.length, proxied)
  assert.equal(Object.keys(await read<object>('keyvals/pairs')).length, pairs)
})
