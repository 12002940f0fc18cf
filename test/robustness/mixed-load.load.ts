/**
 * Half a minute of everything at once (kept and fresh connections, files, a back end, uploads, WebSockets) with a reload
 * every second: no request fails, no tunnel breaks, each request has exactly one line in the log, and no descriptor stays.
 */
import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type net from 'node:net'
import { test } from 'node:test'
import { Client, type Server, startViaduct } from '../harness/server.ts'
import { descriptorKinds, descriptors } from './process-facts.ts'

const DURATION_MS = 30_000
const RELOAD_EVERY_MS = 1000
const USERS_PER_KIND = 4
const TUNNELS = 8
const UPLOAD = Buffer.alloc(200_000, 'u')
const FILE = Buffer.alloc(100_000, 'f')

const conf = (backEnd: number, round: number) => `
  worker_processes 2;
  events { worker_connections 2048; }
  http {
    access_log %%DIR%%/access.log ids buffer=32k flush=1s;
    log_format ids '$arg_id $status $uri';
    upstream back { server 127.0.0.1:${backEnd}; keepalive 8; keepalive_timeout 2s; }
    client_body_temp_path %%DIR%%/body; client_body_buffer_size 16k; proxy_temp_path %%DIR%%/proxy;
    server {
      listen 127.0.0.1:%%PORT_0%%;
      root %%DIR%%;
      add_header X-Round ${round};
      location = /fixed { return 200 "fixed"; }
      location /back/ { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }
      location /tunnel {
        proxy_pass http://back; proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
      }
    }
  }`

/** What the users do, and what came of it. */
class Load {
  readonly server: Server
  readonly #name: string
  readonly asked = new Set<string>()
  readonly failures: string[] = []
  over = false
  #count = 0

  constructor(server: Server, name: string) {
    this.server = server
    this.#name = name
  }

  nextTarget(path: string): string {
    const id = `${this.#name}${++this.#count}`
    this.asked.add(id)
    return `${path}?id=${id}`
  }

  /** One request; its failure is noted. */
  async ask(path: string, want: string, agent: http.Agent | undefined, body?: Buffer): Promise<void> {
    const target = this.nextTarget(path)
    try {
      const got = await this.#exchange(target, agent, body)
      if (got !== want) this.failures.push(`${target}: ${got.slice(0, 100)}`)
    } catch (error) {
      this.failures.push(`${target}: ${String(error)}`)
    }
  }

  #exchange(path: string, agent: http.Agent | undefined, body: Buffer | undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST'
      const options = { host: '127.0.0.1', port: this.server.port(), path, method, agent: agent ?? false }
      const request = http.request(options, (response) => {
        const hash = crypto.createHash('md5')
        response.on('data', (piece: Buffer) => hash.update(piece))
        response.on('end', () => resolve(`${response.statusCode} ${hash.digest('hex')}`))
        response.on('error', reject)
      })
      request.on('error', reject)
      request.end(body)
    })
  }
}

const ok = (body: string | Buffer) => `200 ${crypto.createHash('md5').update(body).digest('hex')}`

async function user(load: Load, kind: number): Promise<void> {
  const kept = new http.Agent({ keepAlive: true, maxSockets: 1 })
  while (!load.over) {
    const agent = kind % 2 === 0 ? kept : undefined
    await load.ask('/fixed', ok('fixed'), agent)
    await load.ask('/file', ok(FILE), agent)
    await load.ask('/back/small', ok('small'), agent)
    await load.ask('/back/upload', ok(`${UPLOAD.length}`), agent, UPLOAD)
    // The log of some ten thousand requests is enough.
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  kept.destroy()
}

/** A tunnel that echoes; a message every 50 ms must come back in order until the end. */
async function tunnel(load: Load): Promise<void> {
  const client = await Client.connect(load.server.port())
  const target = load.nextTarget('/tunnel')
  client.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n`)
  try {
    await client.until(/\r\n\r\n/)
    for (let n = 0; !load.over; n++) {
      client.write(`<${n}>`)
      await client.until(new RegExp(`<${n}>$`))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  } catch (error) {
    load.failures.push(`tunnel: ${String(error).slice(0, 200)}`)
  }
  client.close()
}

async function startBackEnd(): Promise<http.Server> {
  const backEnd = http.createServer((request, response) => {
    let size = 0
    request.on('data', (piece: Buffer) => (size += piece.length))
    request.on('end', () => response.end(request.method === 'POST' ? `${size}` : 'small'))
  })
  backEnd.on('upgrade', (_request, socket: net.Socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n')
    socket.pipe(socket)
  })
  // It must not close a connection that is about to be reused.
  backEnd.keepAliveTimeout = 60_000
  await once(backEnd.listen(0, '127.0.0.1'), 'listening')
  return backEnd
}

test('mixed load with a reload every second', async (t) => {
  const backEnd = await startBackEnd()
  const { port } = backEnd.address() as net.AddressInfo
  await using server = await startViaduct(conf(port, 0), { files: { file: FILE } })
  const warm = new Load(server, 'warm')
  await Promise.all(Array.from({ length: USERS_PER_KIND }, () => warm.ask('/back/small', ok('small'), undefined)))
  await server.reload()
  const before = descriptors(server.pid)
  const kindsBefore = descriptorKinds(server.pid)

  const load = new Load(server, 'n')
  const start = performance.now()
  const users = Array.from({ length: 2 * USERS_PER_KIND }, (_, kind) => user(load, kind))
  users.push(...Array.from({ length: TUNNELS }, () => tunnel(load)))
  let reloads = 0
  for (; performance.now() - start < DURATION_MS; reloads++) {
    const next = start + (reloads + 1) * RELOAD_EVERY_MS
    await server.reload(conf(port, reloads))
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())))
  }
  load.over = true
  await Promise.all(users)
  t.diagnostic(`${load.asked.size} requests, ${reloads} reloads`)
  assert.deepEqual(load.failures.slice(0, 10), [])
  assert.ok(reloads >= DURATION_MS / RELOAD_EVERY_MS / 2, `${reloads} reloads`)

  await server.until('all is logged', () => idsIn(server).length >= load.asked.size + warm.asked.size)
  const logged = idsIn(server).filter((id) => load.asked.has(id))
  assert.equal(logged.length, load.asked.size)
  assert.equal(new Set(logged).size, load.asked.size)
  await server
    .until('descriptors go', () => descriptors(server.pid) <= before)
    .catch(() => assert.fail(`${before}: ${kindsBefore}; after: ${descriptorKinds(server.pid)}`))
  backEnd.closeAllConnections()
  backEnd.close()
})

function idsIn(server: Server): string[] {
  return server
    .accessLog()
    .split('\n')
    .filter(Boolean)
    .map((line) => line.slice(0, line.indexOf(' ')))
}
