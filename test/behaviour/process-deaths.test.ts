/** What survives what: a worker thread that throws or runs out of memory, an engine that is killed, a dead master. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { isAlive, type Server, startViaduct } from '../harness/server.ts'

const CONF = 'worker_processes 2; http { server { listen 127.0.0.1:%%PORT_0%%; } }'

/** Preloaded into every thread of the server: does something deadly in one worker when a file appears. */
const BOMB = `
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
const take = (name) => { try { fs.rmdirSync(new URL(name, import.meta.url)); return true } catch { return false } }
if (!isMainThread) setInterval(() => {
  if (take('throw')) throw new Error('a bug')
  if (take('fill')) for (const list = []; ; ) list.push(new Array(1 << 17).fill(list))
}, 5).unref()
`

async function startWithBomb(conf = CONF): Promise<Server> {
  // The path is relative because the folder is not known yet.
  const env = { NODE_OPTIONS: '--import=./bomb.mjs --max-old-space-size=64' }
  const server = await startViaduct(conf, { files: { 'bomb.mjs': BOMB }, alerts: true, env, cwd: true })
  fs.chmodSync(server.dir, 0o777)
  return server
}

for (const [what, file] of [
  ['throws', 'throw'],
  ['runs out of memory', 'fill'],
] as const) {
  test(`a worker that ${what} is replaced, and the others go on`, async () => {
    await using server = await startWithBomb()
    const engine = enginePid(server)
    fs.mkdirSync(`${server.dir}/${file}`)
    await server.logged(/\[alert\] .*worker process \d+ exited with code \d+\n/)
    await server.until('a third worker', () => server.errorLog().match(/start worker process \d+/g)?.length === 3)
    for (let i = 0; i < 8; i++) assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
    assert.equal(enginePid(server), engine)
    assert.equal((await server.stop()).code, 0)
  })
}

test('what a worker counted in zones when it died is counted no more', async () => {
  const silent = net
    .createServer((socket) => socket.unref())
    .listen(0, '127.0.0.1')
    .unref()
  await once(silent, 'listening')
  const { port } = silent.address() as net.AddressInfo
  await using server = await startWithBomb(`worker_processes 1; http {
    limit_conn_zone $server_port zone=one:1m;
    upstream u { zone u 64k; server 127.0.0.1:${port} max_conns=1; server 127.0.0.1:${port} down; }
    server { listen 127.0.0.1:%%PORT_0%%; limit_conn one 1; proxy_read_timeout 100ms;
      location /hang { proxy_pass http://u; proxy_read_timeout 60s; }
      location / { proxy_pass http://u; } } }`)
  const client = await server.connect()
  client.write('GET /hang HTTP/1.1\r\nHost: h\r\n\r\n')
  await once(silent, 'connection')
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 503 /)
  fs.mkdirSync(`${server.dir}/throw`)
  await client.rest()
  await server.until('a second worker', () => server.errorLog().match(/start worker process \d+/g)?.length === 2)
  // The only place of the only server is free again, too: 502 would say that it is not.
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 504 /)
  silent.close()
  assert.equal((await server.stop()).code, 0)
})

test('a killed engine is replaced, and connection attempts meanwhile wait', async () => {
  await using server = await startViaduct(CONF, { alerts: true })
  const engine = enginePid(server)
  process.kill(engine, 'SIGKILL')
  await server.until('the engine is gone', () => !isAlive(engine))
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
  await server.logged(new RegExp(`\\[alert\\] .*worker process ${engine} exited on signal 9\n`))
  assert.notEqual(enginePid(server), engine)
  await server.reload()
  assert.equal((await server.stop()).code, 0)
})

test('when the master is killed the engine ends and the address is free', async () => {
  await using server = await startViaduct(CONF)
  const engine = enginePid(server)
  process.kill(server.pid, 'SIGKILL')
  await server.ended
  await server.until('the engine is gone', () => !isAlive(engine))
  await assert.rejects(server.connect())
})

/** Returns the only child of the master. */
function enginePid(server: Server): number {
  const children = fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1')
  return Number(children.trim().split(' ')[0])
}
