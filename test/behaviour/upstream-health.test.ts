/** `health_check` and `match`: servers that do not answer as they should get no requests until they do. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

/** A back end whose answers to checks (`/health`) a test changes. */
class BackEnd {
  health = reply('fine')
  readonly peer: Promise<Peer>

  constructor(name: string) {
    this.peer = Peer.start(({ line }) => (line.includes(' /health ') ? this.health : reply(name)))
  }
}

async function get(server: Server, target = '/'): Promise<string> {
  const response = await fetch(server.url(target))
  const body = await response.text()
  return response.status === 200 ? body : String(response.status)
}

/** Who answers six requests, without repetitions. */
async function answering(server: Server): Promise<string> {
  const names = new Set<string>()
  for (let i = 0; i < 6; i++) names.add(await get(server))
  return [...names].sort().join(' ')
}

const CHECK = 'health_check interval=30ms uri=/health'

function conf(a: Peer, b: Peer, check: string, more = '', upstream = ''): string {
  return `
    worker_processes 2;
    http {
      upstream u { zone u 64k; server 127.0.0.1:${a.port}; server 127.0.0.1:${b.port}; ${upstream} }
      ${more}
      server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { proxy_pass http://u; proxy_set_header Host back.test; proxy_set_header X-Const 7; proxy_set_header X-Up $proxy_host:$remote_addr:$http_x; ${check} }
      }
    }`
}

test('a server goes after fails, comes back after passes, and both are logged', async () => {
  const [first, second] = [new BackEnd('a'), new BackEnd('b')]
  await using a = await first.peer
  await using b = await second.peer
  await using server = await startViaduct(conf(a, b, `${CHECK} fails=2 passes=2;`))
  await server.until('checks', () => a.requests.length > 2)
  const [request] = a.requests
  assert.equal(request!.line, 'GET /health HTTP/1.1')
  assert.deepEqual(request!.fields, [
    ['Host', 'back.test'],
    ['X-Const', '7'],
    ['X-Up', 'u:127.0.0.1:'],
    ['Connection', 'close'],
  ])
  assert.equal(await answering(server), 'a b')
  second.health = reply('', [], '500 Oops')
  const about = `health check "" of peer 127.0.0.1:${b.port} in upstream "u"`
  await server.logged(new RegExp(`\\[warn\\] \\S+ peer is unhealthy while checking status code, ${about}`))
  assert.equal(await answering(server), 'a')
  second.health = reply('fine')
  await server.logged(new RegExp(`\\[notice\\] \\S+ peer is healthy while checking status code, ${about}`))
  assert.equal(await answering(server), 'a b')
})

test('a match block judges status, fields, body and variables', async () => {
  const [first, second] = [new BackEnd('a'), new BackEnd('b')]
  await using a = await first.peer
  await using b = await second.peer
  const good = reply('all is well', ['X-State: ready', 'X-Ready: 1'])
  first.health = second.health = good
  const match = `
    map $upstream_http_x_ready $is_ready { 1 1; default 0; }
    match good {
      status 200-299 404; status ! 204;
      header X-State ~ "^rea"; header Content-Length; header ! X-Broken; header X-State != done;
      body ~ "is well$"; body !~ error;
      require $is_ready;
    }`
  await using server = await startViaduct(conf(a, b, `${CHECK} match=good;`, match))
  await server.until('checks', () => b.requests.length > 1)
  assert.equal(await answering(server), 'a b')
  const bad: readonly [string, string][] = [
    [reply('all is well', ['X-State: ready', 'X-Ready: 1'], '204 No'), 'checking status code'],
    [reply('all is well', ['X-State: ready', 'X-Ready: 1', 'X-Broken: 1']), 'checking header'],
    [reply('all is well', ['X-State: over', 'X-Ready: 1']), 'checking header'],
    [reply('all is ill', ['X-State: ready', 'X-Ready: 1']), 'checking body'],
    [reply('all is well', ['X-State: ready']), 'checking variables'],
    ['nonsense\r\n\r\n', 'reading response header from upstream'],
  ]
  for (const [answer, doing] of bad) {
    const before = server.errorLog().length
    second.health = answer
    await server.until(doing, () => server.errorLog().slice(before).includes(`peer is unhealthy while ${doing}, `))
    assert.equal(await answering(server), 'a')
    second.health = good
    await server.until('recovery', () =>
      server.errorLog().slice(before).includes('peer is healthy while checking body'),
    )
  }
})

test('a mandatory check comes before the first request, and what it found outlasts reloads and workers', async () => {
  const [first, second] = [new BackEnd('a'), new BackEnd('b')]
  await using a = await first.peer
  await using b = await second.peer
  first.health = ''
  second.health = ''
  const text = conf(a, b, `${CHECK} mandatory;`)
  await using server = await startViaduct(text, { alerts: true })
  assert.equal(await get(server), '502')
  first.health = reply('fine')
  second.health = reply('', [], '503 No')
  // The first check has been waiting for its answer.
  for (const { socket } of a.requests) socket.write(reply('fine'))
  for (const { socket } of b.requests) socket.write(reply('', [], '503 No'))
  await server.logged(/peer is healthy/)
  await server.logged(/peer is unhealthy/)
  assert.equal(await answering(server), 'a')
  await server.reload(text.replace('listen', 'add_header X-New 1; listen'))
  assert.equal(await answering(server), 'a')
  await server.reload(text.replace('zone u 64k;', 'zone u 64k; server 127.0.0.1:1 down;'))
  assert.equal(await answering(server), 'a')
  const checks = b.requests.length
  await server.until('checks go on', () => b.requests.length > checks + 2)
})

/** Preloaded into every thread: lets a worker die when a folder appears. */
const BOMB = `
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
if (!isMainThread) setInterval(() => {
  try { fs.rmdirSync(new URL('throw', import.meta.url)) } catch { return }
  throw new Error('a bug')
}, 5).unref()
`

test('when the worker that asks dies, its successor knows what was found and goes on', async () => {
  const [first, second] = [new BackEnd('a'), new BackEnd('b')]
  await using a = await first.peer
  await using b = await second.peer
  second.health = reply('', [], '500 Oops')
  const text = conf(a, b, `${CHECK};`).replace('worker_processes 2', 'worker_processes 1')
  const env = { NODE_OPTIONS: '--import=./bomb.mjs' }
  await using server = await startViaduct(text, { files: { 'bomb.mjs': BOMB }, alerts: true, env, cwd: true })
  await server.logged(/peer is unhealthy/)
  fs.chmodSync(server.dir, 0o777)
  fs.mkdirSync(`${server.dir}/throw`)
  await server.logged(/\[alert\] .*worker process \d+ exited with code \d+\n/)
  assert.equal(await answering(server), 'a')
  assert.equal(server.errorLog().match(/peer is unhealthy/g)!.length, 1)
  second.health = reply('fine')
  await server.logged(/peer is healthy/)
  assert.equal(await answering(server), 'a b')
})

test('connections may be kept, and a port and time-outs be given', async () => {
  const [first, second] = [new BackEnd('a'), new BackEnd('b')]
  await using a = await first.peer
  await using b = await second.peer
  await using other = await Peer.start(() => undefined)
  const check = `${CHECK} keepalive_time=1m;`
  const extra = `location /other { proxy_pass http://v; health_check port=${other.port} interval=30ms; proxy_read_timeout 50ms; }`
  const text = conf(a, b, `${check} } ${extra} location /x {`, `upstream v { zone v 64k; server 127.0.0.1:${a.port}; }`)
  await using server = await startViaduct(text)
  await server.until('checks', () => a.requests.length > 3)
  assert.equal(a.sockets.length, 1)
  assert.equal(a.requests[1]!.field('connection'), 'keep-alive')
  await server.logged(
    new RegExp(
      String.raw`\[error\] \S+ upstream timed out \(110: Connection timed out\) while reading response header from upstream, ` +
        `health check "" of peer 127.0.0.1:${a.port} in upstream "v", port ${other.port}`,
    ),
  )
  await server.logged(/peer is unhealthy while reading response header from upstream, .* in upstream "v"/)
  assert.equal(await get(server, '/other'), '502')
})

test('a check in the upstream block needs no zone', async () => {
  const [first, second] = [new BackEnd('a'), new BackEnd('b')]
  await using a = await first.peer
  await using b = await second.peer
  second.health = reply('', [], '500 Oops')
  const text = conf(a, b, '', '', CHECK + ';').replace('zone u 64k;', '')
  await using server = await startViaduct(text)
  await server.logged(/peer is unhealthy/)
  assert.equal(await answering(server), 'a')
  assert.equal(a.requests[0]!.field('host'), 'u')
})

test('what is wrong is told', async () => {
  const cases: readonly [string, RegExp][] = [
    ['location / { health_check; }', /"health_check" requires a location that passes requests to an upstream/],
    ['location / { proxy_pass http://u; health_check; }', /"health_check" requires "zone" in upstream "u"/],
    ['location / { proxy_pass http://z; health_check match=no; }', /unknown match "no"/],
    [
      'location / { proxy_pass http://z; health_check type=grpc; }',
      /"health_check" with "type=grpc" requires a location with "grpc_pass"/,
    ],
    ['location / { proxy_pass http://z; health_check fails=0; }', /invalid parameter "fails=0"/],
    ['location / { proxy_pass http://z; health_check persistent; }', /"persistent" parameter requires "mandatory"/],
    ['location / { proxy_pass http://z; health_check uri=x; }', /invalid uri "x"/],
    ['} match m { status 2xx; } server {', /invalid status "2xx"/],
    ['} match m { header A ? b; } server {', /invalid parameter "\?"/],
    ['} match m { body = b; } server {', /invalid parameter "="/],
  ]
  for (const [text, message] of cases) {
    const groups = 'upstream u { server 127.0.0.1:1; } upstream z { zone z 64k; server 127.0.0.1:1; }'
    await using prefix = await Prefix.create(`events { } http { ${groups} server { ${text} } }`)
    assert.match((await prefix.run(['-t'])).stderr, message, text)
  }
})
