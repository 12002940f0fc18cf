/** What files keep over the end of the program, whether it ended in order or was killed: servers, pairs, numbers. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { isAlive, type Server, startViaduct } from '../harness/server.ts'

const kept = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-kept-'))
let one: Peer
let two: Peer
let server: Server | undefined

before(async () => {
  // Workers of a server started by root run as nobody.
  fs.chmodSync(kept, 0o777)
  one = await Peer.start(() => reply('one'))
  two = await Peer.start(() => reply('two'))
})
after(async () => {
  await server?.[Symbol.asyncDispose]()
  await one[Symbol.asyncDispose]()
  await two[Symbol.asyncDispose]()
  fs.rmSync(kept, { recursive: true })
})

async function start(): Promise<Server> {
  server = await startViaduct(`
worker_processes 2;
http {
  keyval_zone zone=pairs:1m state=${kept}/pairs.json;
  keyval_zone zone=brief:1m timeout=1h state=${kept}/brief.json;
  keyval_zone zone=nets:1m type=ip state=${kept}/nets.json;
  keyval_zone zone=heads:1m type=prefix state=${kept}/heads.json;
  keyval $arg_k $pair zone=pairs;
  keyval $arg_k $short zone=brief;
  keyval $arg_a $net zone=nets;
  keyval $arg_p $head zone=heads;
  vhost_traffic_status_zone;
  vhost_traffic_status_dump ${kept}/traffic.json 100ms;
  vhost_traffic_status_measure_status_codes all;
  upstream u { zone u 64k; state ${kept}/u.conf; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name counted.example;
    location / { proxy_pass http://u; }
    location /pairs { return 200 "[$pair][$short][$net][$head]"; }
    location /api { vhost_traffic_status_bypass_stats on; api write=on; }
    location /status { vhost_traffic_status_bypass_stats on; vhost_traffic_status_display; }
  }
}`)
  return server
}

async function send(url: string, method: string, body: object): Promise<number> {
  const response = await fetch(url, { method, body: JSON.stringify(body) })
  await response.arrayBuffer()
  return response.status
}

async function json<T>(url: string): Promise<T> {
  return (await fetch(url)).json() as Promise<T>
}

/** The master and the engine are gone at once. */
async function kill(running: Server): Promise<void> {
  const [worker] = await json<{ pid: number }[]>(running.url('/api/9/workers'))
  const { ppid, pid } = await json<{ ppid: number; pid: number }>(running.url('/api/9/nginx'))
  assert.ok(worker !== undefined && ppid === running.pid)
  process.kill(ppid, 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  await running.until('all processes are gone', () => !isAlive(ppid) && !isAlive(pid))
  await running[Symbol.asyncDispose]()
}

/** What one sees of everything that is kept. */
async function seen(running: Server): Promise<{ servers: object[]; answer: string; pairs: string; requests: number }> {
  const servers = await json<{ server: string; weight: number; down: boolean }[]>(
    running.url('/api/9/http/upstreams/u/servers'),
  )
  const pairs = await (await fetch(running.url('/pairs?k=a&a=10.1.2.3&p=/shop/x'))).text()
  return {
    servers: servers.map((line) => [line.server, line.weight, line.down]),
    answer: await (await fetch(running.url('/'))).text(),
    pairs,
    requests: await counted(running),
  }
}

async function counted(running: Server): Promise<number> {
  interface Page {
    readonly serverZones: Readonly<Record<string, { requestCounter: number; statusCodes: Record<string, number> }>>
  }
  const row = (await json<Page>(running.url('/status'))).serverZones['counted.example']
  assert.equal(row?.statusCodes['200'] ?? 0, row?.requestCounter ?? 0)
  return row?.requestCounter ?? 0
}

const keyvals = '/api/9/http/keyvals'

test('what the API changed is there after a stop', async () => {
  const first = await start()
  const servers = first.url('/api/9/http/upstreams/u/servers')
  assert.equal(await send(servers, 'POST', { server: `127.0.0.1:${one.port}` }), 201)
  assert.equal(await send(servers, 'POST', { server: `127.0.0.1:${two.port}`, weight: 3, down: true }), 201)
  assert.equal(await send(first.url(`${keyvals}/pairs`), 'POST', { a: 'A', gone: 'x' }), 201)
  assert.equal(await send(first.url(`${keyvals}/pairs`), 'PATCH', { gone: null }), 204)
  assert.equal(await send(first.url(`${keyvals}/brief`), 'POST', { a: 'B', b: { value: 'x', expire: 1 } }), 201)
  assert.equal(await send(first.url(`${keyvals}/nets`), 'POST', { '10.1.0.0/16': 'N' }), 201)
  assert.equal(await send(first.url(`${keyvals}/heads`), 'POST', { '/shop': 'H' }), 201)
  const before = await seen(first)
  assert.deepEqual(before, {
    servers: [
      [`127.0.0.1:${one.port}`, 1, false],
      [`127.0.0.1:${two.port}`, 3, true],
    ],
    answer: 'one',
    pairs: '[A][B][N][H]',
    requests: 2,
  })
  await first[Symbol.asyncDispose]()

  const second = await start()
  assert.deepEqual(await seen(second), { ...before, requests: 4 }, 'numbers go on where they were')
  assert.deepEqual(await json(second.url(`${keyvals}/brief`)), { a: 'B' }, 'what has ended is not there any more')
})

test('and after the program was killed', async () => {
  const second = server!
  const servers = second.url('/api/9/http/upstreams/u/servers')
  assert.equal(await send(`${servers}/1`, 'PATCH', { down: false }), 200)
  assert.equal(await send(`${servers}/0`, 'PATCH', { down: true }), 200)
  assert.equal(await send(second.url(`${keyvals}/pairs`), 'PATCH', { a: 'changed' }), 204)
  const before = await seen(second)
  assert.deepEqual([before.answer, before.pairs, before.requests], ['two', '[changed][B][N][H]', 6])
  await second.until('numbers are written', () =>
    fs.readFileSync(`${kept}/traffic.json`, 'latin1').includes('"codes":{"200":6,"other":0}'),
  )
  await kill(second)

  const third = await start()
  assert.deepEqual(await seen(third), { ...before, requests: 8 })
  assert.deepEqual(fs.readdirSync(kept).toSorted(), [
    'brief.json',
    'heads.json',
    'nets.json',
    'pairs.json',
    'traffic.json',
    'u.conf',
  ])
})

test('changes through all workers at once are all kept', async () => {
  const third = server!
  const keys = Array.from({ length: 120 }, (_, n) => `key${n}`)
  const statuses = await Promise.all(
    keys.map((key) => send(third.url(`${keyvals}/heads`), 'POST', { [key]: `value of ${key}` })),
  )
  assert.deepEqual(new Set(statuses), new Set([201]))
  const file = JSON.parse(fs.readFileSync(`${kept}/heads.json`, 'utf8')) as Record<string, string>
  assert.deepEqual(
    keys.filter((key) => file[key] !== `value of ${key}`),
    [],
  )
})
