/** ngx_http_limit_conn_module: counts while requests are served, over all threads, and lets go when they end. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, test } from 'node:test'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
worker_processes 2;
http {
  limit_conn_zone $arg_key zone=one:1m;
  limit_conn_zone $arg_other zone=two:1m;
  log_format status "$uri:$limit_conn_status";
  access_log %%DIR%%/access.log status;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    add_header X-Limit $limit_conn_status;
    location = /slow { limit_conn one 1; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location = /many { limit_conn one 3; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location = /one { limit_conn one 1; alias %%DIR%%/ok; }
    location = /both { limit_conn two 1; limit_conn one 1; limit_conn_status 429; alias %%DIR%%/ok; }
    location = /dry { limit_conn one 1; limit_conn_dry_run on; limit_conn_log_level warn; alias %%DIR%%/ok; }
  }
}`

let server: Server
let backEnd: net.Server
const waiting: net.Socket[] = []

before(async () => {
  server = await startViaduct(CONF, { files: { ok: 'ok' } })
  backEnd = net.createServer((socket) => {
    waiting.push(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => backEnd.listen(server.port(1), '127.0.0.1', resolve))
})
after(async () => {
  for (const socket of waiting) socket.destroy()
  backEnd.close()
  await server[Symbol.asyncDispose]()
})

async function get(target: string): Promise<string> {
  const response = await fetch(server.url(target))
  await response.text()
  return `${response.status} ${response.headers.get('x-limit') ?? ''}`.trim()
}

/** Sends a request that the back end does not answer until `answer` is called. */
async function hold(target: string): Promise<{ answer(): Promise<string>; leave(): void }> {
  const seen = waiting.length
  const client = await server.connect()
  client.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  await server.until('the back end has the request', () => waiting.length > seen)
  return {
    answer: () => {
      waiting[seen]!.end('HTTP/1.0 200 OK\r\n\r\nlate')
      return client.rest()
    },
    leave: () => client.close(),
  }
}

test('a key at its limit is rejected until the request ends', async () => {
  const first = await hold('/slow?key=a')
  assert.equal(await get('/one?key=a'), '503')
  assert.equal(await get('/one?key=b'), '200 PASSED')
  assert.equal(await get('/one'), '200', 'an empty key is not counted')
  await server.logged(/\[error\] .*limiting connections by zone "one", client: /)
  assert.match(await first.answer(), /late/)
  await server.until('it was let go', async () => (await get('/one?key=a')) === '200 PASSED')
})

test('a client that leaves is counted no longer', async () => {
  const first = await hold('/slow?key=c')
  assert.equal(await get('/one?key=c'), '503')
  first.leave()
  await server.until('it was let go', async () => (await get('/one?key=c')) === '200 PASSED')
})

test('a rejection by one zone lets go of the others', async () => {
  const first = await hold('/slow?key=d')
  assert.equal(await get('/both?key=d&other=d'), '429')
  assert.equal(await get('/both?key=e&other=d'), '200 PASSED')
  await first.answer()
})

test('a dry run counts and lets pass', async () => {
  const first = await hold('/slow?key=f')
  assert.equal(await get('/dry?key=f'), '200 REJECTED_DRY_RUN')
  await server.logged(/\[warn\] .*limiting connections, dry run, by zone "one"/)
  await first.answer()
})

test('threads count together', async () => {
  const held = [await hold('/many?key=g'), await hold('/many?key=g'), await hold('/many?key=g')]
  for (let i = 0; i < 4; i++) assert.equal(await get('/many?key=g'), '503')
  for (const one of held) await one.answer()
})

const REFUSED: readonly (readonly [string, string])[] = [
  ['limit_conn none 1;', 'zero size shared memory zone "none"'],
  ['limit_conn_zone $uri zone=x:1m; limit_conn x 0;', 'invalid number of connections "0"'],
  ['limit_conn_zone $uri zone=x:1m; limit_conn x 65536;', 'connection limit must be less 65536'],
  ['limit_conn_zone $uri zone=x:1m; limit_conn x 1; limit_conn x 2;', '"limit_conn" directive is duplicate'],
  ['limit_conn_zone $uri zone=x;', 'invalid zone size "zone=x"'],
  ['limit_conn_zone $uri zone=x:1k;', 'zone "zone=x:1k" is too small'],
]

test('mistakes are named as nginx names them', async () => {
  await using prefix = await Prefix.create('')
  for (const [text, message] of REFUSED) {
    prefix.write('nginx.conf', `events { } http { ${text} }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, text)
    assert.ok(stderr.includes(message), `${text}\n${stderr}`)
  }
})
