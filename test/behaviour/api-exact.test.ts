/** Two workers under load, with changes by the API and reloads meanwhile: nothing is lost, and all counts add up exactly. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const CLIENTS = 16
/** CI may make it longer. */
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
  keyval_zone zone=pairs:1m;
  limit_conn_zone $arg_none zone=none:1m;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    status_zone site;
    location / { status_zone proxied; proxy_pass http://u; }
    location /direct { status_zone direct; return 204; }
  }
  server { listen 127.0.0.1:%%PORT_1%%; location /api { api write=on; } }
}`

test('counts add up, no change is lost, no request either', async () => {
  await using one = await Peer.start(() => reply('one'))
  await using two = await Peer.start(() => reply('two'))
  await using server = await startViaduct(confOf(one, two))
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS })
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
    ask(agent, server.port(1), `/api/9/http/${path}`, method, JSON.stringify(body))
  let pairs = 0
  const changer = async (n: number): Promise<void> => {
    for (let i = 0; performance.now() < end; i++) {
      const servers = 'upstreams/u/servers'
      assert.equal(await api(`${servers}/${n}`, 'PATCH', { weight: 1 + (i % 5), max_fails: i % 3 }), 200)
      assert.equal(await api(servers, 'POST', { server: `127.0.0.1:${one.port}` }), 409)
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

  const read = async <T>(path: string): Promise<T> =>
    (await (await fetch(server.url(`/api/9/http/${path}`, 1))).json()) as T
  assert.deepEqual(statuses, { 200: proxied, 204: direct }, 'no request failed')
  const site = await read<Zone>('server_zones/site')
  assert.deepEqual([site.processing, site.requests, site.discarded], [0, proxied + direct, 0])
  assert.deepEqual(site.responses.codes, { 200: proxied, 204: direct })
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
  assert.deepEqual(
    peers.map(({ active }) => active),
    [0, 0],
  )
  assert.equal(one.requests.length + two.requests.length, proxied)
  assert.equal(Object.keys(await read<object>('keyvals/pairs')).length, pairs)
})
