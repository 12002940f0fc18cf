/** Files of the cache go both ways: what an installed nginx has stored is found here, and what is stored here it serves. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CACHE_HIT } from '../../src/http/cache/cache-use.ts'
import { clock } from '../../src/lib/clock.ts'
import { freePorts } from '../harness/ports.ts'
import { until } from '../harness/wait.ts'
import { lookUp, makeCache, OPEN, store, type TestCache, use } from './cache-maker.ts'

const NGINX = '/usr/sbin/nginx'
const skip = !existsSync(NGINX)

interface Answer {
  readonly status: number
  readonly body: string
  readonly cache: string
}

function fetch(port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, headers: { ...headers, connection: 'close' } }
    get(options, (response) => {
      let body = ''
      response.setEncoding('latin1')
      response.on('data', (text: string) => (body += text))
      response.on('end', () =>
        resolve({ status: response.statusCode!, body, cache: String(response.headers['x-cache']) }),
      )
    }).on('error', reject)
  })
}

/** An origin whose answers vary; the number of requests is counted. */
async function origin(): Promise<{ readonly port: number; readonly server: Server; count: number }> {
  const state = { port: 0, server: createServer(), count: 0 }
  state.server.on('request', (request, response) => {
    state.count++
    response.setHeader('Cache-Control', 'max-age=1000, stale-while-revalidate=30')
    response.setHeader('Last-Modified', 'Thu, 01 Jan 2026 00:00:00 GMT')
    response.setHeader('ETag', '"abc"')
    response.setHeader('Surrogate-Key', 'one two')
    if (request.url === '/vary') response.setHeader('Vary', 'Accept-Encoding, X-Other')
    response.end(`${request.url} ${request.headers['accept-encoding'] ?? ''}`)
  })
  await new Promise<void>((resolve) => state.server.listen(0, '127.0.0.1', resolve))
  state.port = (state.server.address() as AddressInfo).port
  after(() => state.server.close())
  return state
}

/** Runs nginx over the folder of a cache; returns its port. */
async function nginx(made: TestCache, originPort: number): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const [port] = (await freePorts(1)) as [number]
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${made.folder}/${name};`)
    .join(' ')
  mkdirSync(join(made.folder, 'cache'), { recursive: true })
  chmodSync(made.folder, 0o755)
  const user = process.geteuid?.() === 0 ? 'user root;' : ''
  const text = `daemon off; master_process off; ${user} pid ${made.folder}/pid; error_log ${made.folder}/error.log info;
events {} http { access_log off; ${temp}
  proxy_cache_path ${made.folder}/cache levels=1:2 keys_zone=one:1m use_temp_path=off;
  server { listen 127.0.0.1:${port}; location / {
    proxy_pass http://127.0.0.1:${originPort}; proxy_cache one; proxy_cache_key $uri;
    add_header X-Cache $upstream_cache_status; } } }`
  const path = join(made.folder, 'nginx.conf')
  writeFileSync(path, text)
  const child: ChildProcess = spawn(NGINX, ['-c', path, '-p', made.folder], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  after(() => child.kill('SIGKILL'))
  await until('nginx', () => listens(port))
  return {
    port,
    stop: () => {
      child.kill('SIGQUIT')
      return ended
    },
  }
}

async function listens(port: number): Promise<boolean> {
  try {
    await fetch(port, '/probe')
    return true
  } catch {
    return false
  }
}

test('what nginx has stored is found', { skip }, async () => {
  const made = makeCache()
  const { port: back } = await origin()
  const server = await nginx(made, back)
  await fetch(server.port, '/plain')
  await fetch(server.port, '/vary', { 'accept-encoding': 'gzip, br' })
  await fetch(server.port, '/vary', { 'accept-encoding': 'zstd', 'x-other': 'a' })
  await server.stop()
  // As after a start: the index knows nothing.
  made.zone.words[26] = 0
  const used = use(made, '/plain')
  assert.equal(used.open(OPEN), CACHE_HIT)
  const { object } = used
  assert.equal(object!.entry!.content!.toString(), '/plain ')
  assert.match(object!.head.toString(), /^HTTP\/1\.[01] 200 OK\r\n[\s\S]*\r\n\r\n$/)
  assert.deepEqual([object!.etag, object!.lastModified, object!.updatingSec], ['"abc"', 1767225600, 30])
  assert.ok(Math.abs(object!.validSec - clock.seconds - 1000) < 10)
  used.release()
  assert.equal(lookUp(made, '/vary', { 'accept-encoding': 'gzip,br' })[1], '/vary gzip, br')
  assert.equal(lookUp(made, '/vary', { 'accept-encoding': 'zstd', 'x-other': 'a' })[1], '/vary zstd')
  assert.equal(lookUp(made, '/vary', { 'accept-encoding': 'zstd', 'x-other': 'b' })[1], '')
  assert.deepEqual(made.lines, [])
  assert.equal(made.cache.purgeTag('two', false), 3)
})

test('what is stored here is served by nginx', { skip }, async () => {
  const made = makeCache()
  const vary = { vary: 'Accept-Encoding' }
  store(made, '/plain', 'stored body', { etag: '"x"', lastModified: 1_700_000_000 })
  store(made, '/vary', 'zip', vary, { 'accept-encoding': 'gzip' })
  store(made, '/vary', 'plain', vary, { 'accept-encoding': '' })
  const back = await origin()
  const server = await nginx(made, back.port)
  const before = back.count
  assert.deepEqual(await fetch(server.port, '/plain'), { status: 200, body: 'stored body', cache: 'HIT' })
  const zipped = await fetch(server.port, '/vary', { 'accept-encoding': 'gzip' })
  assert.deepEqual([zipped.body, zipped.cache], ['zip', 'HIT'])
  const plain = await fetch(server.port, '/vary')
  assert.deepEqual([plain.body, plain.cache], ['plain', 'HIT'])
  assert.equal(back.count, before)
  await server.stop()
})
