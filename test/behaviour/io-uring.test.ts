/** `use io_uring`: the ring carries what handles carry, and nothing is left of it when a worker goes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { whyNoRing } from '../../src/net/engine.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Client, type Server, startViaduct } from '../harness/server.ts'

const skip = whyNoRing()
const options = skip === '' ? {} : { skip }
const EVENTS = 'events { use io_uring; }'

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`

/** The process that serves. */
function engineOf(server: Server): number {
  const children = fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1').trim().split(' ')
  return Number(children.find((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('worker process')))
}

function descriptors(pid: number): string[] {
  return fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch {
      return ''
    }
  })
}

const rings = (pid: number): number => descriptors(pid).filter((link) => link.includes('io_uring')).length
const sockets = (pid: number): number => descriptors(pid).filter((link) => link.startsWith('socket:')).length

test('clients, back ends and socket files are on the ring', options, async () => {
  await using peer = await Peer.start(() => reply('from behind'))
  await using server = await startViaduct(`${EVENTS} http {
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { return 200 "$remote_addr:$remote_port $server_addr"; }
      location /behind { proxy_pass http://127.0.0.1:${peer.port}; }
      location /file { proxy_pass http://unix:%%DIR%%/sock:/; } }
    server { listen unix:%%DIR%%/sock; location / { return 200 "by $remote_addr"; } } }`)
  assert.match(server.errorLog(), /using the "io_uring" event method/)
  const client = await server.connect()
  const { localPort } = client.socket
  client.write(get('/'))
  assert.match(await client.rest(), new RegExp(`\r\n\r\n127\\.0\\.0\\.1:${localPort} 127\\.0\\.0\\.1$`))
  assert.match(await server.raw(get('/behind')), /from behind$/)
  assert.match(await server.raw(get('/file')), /by unix:$/)
})

test(
  'a client that reads late gets every byte, and one that does not read at all only costs what was sent',
  options,
  async () => {
    const big = Buffer.alloc(6_000_000, 'abcdefghijklm')
    await using server = await startViaduct(
      `${EVENTS} http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%; location / { } } }`,
      { files: { big } },
    )
    const late = net.connect({ port: server.port(), host: '127.0.0.1' })
    late.write(get('/big'))
    await once(late, 'readable')
    const pieces: Buffer[] = []
    for await (const piece of late) pieces.push(piece as Buffer)
    const all = Buffer.concat(pieces)
    assert.ok(all.subarray(all.indexOf('\r\n\r\n') + 4).equals(big))
  },
)

/** Preloaded into every thread: does something deadly in a worker when a folder appears. */
const BOMB = `
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
const take = (name) => { try { fs.rmdirSync(new URL(name, import.meta.url)); return true } catch { return false } }
if (!isMainThread) setInterval(() => {
  if (take('throw')) throw new Error('a bug')
  if (take('fill')) for (const list = []; ; ) list.push(new Array(1 << 17).fill(list))
}, 5).unref()
`

for (const how of ['throw', 'fill'] as const) {
  test(`a worker that dies (${how}) leaves no descriptor and no client waiting`, {
    ...options,
    timeout: 60_000,
  }, async () => {
    await using peer = await Peer.start()
    const env = { NODE_OPTIONS: '--import=./bomb.mjs --max-old-space-size=64' }
    await using server = await startViaduct(
      `${EVENTS} worker_processes 1; http { upstream u { server 127.0.0.1:${peer.port}; keepalive 4; }
        server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://u; } } }`,
      { files: { 'bomb.mjs': BOMB }, alerts: true, env, cwd: true },
    )
    fs.chmodSync(server.dir, 0o777)
    const engine = engineOf(server)
    assert.match(await server.raw(get('/')), /ok$/)
    const before = { rings: rings(engine), sockets: sockets(engine) }
    const clients = await Promise.all(Array.from({ length: 20 }, () => server.connect()))
    await server.until('accepted', () => sockets(engine) === before.sockets + 20)
    // Others are busy meanwhile.
    let busy = true
    const loads = Array.from({ length: 4 }, async () => {
      while (busy) await server.raw(get('/')).catch(() => '')
    })
    fs.mkdirSync(`${server.dir}/${how}`)
    for (const client of clients) await client.rest()
    busy = false
    await Promise.all(loads)
    await server.until('another worker', () => server.errorLog().match(/start worker process \d+/g)?.length === 2)
    assert.match(await server.raw(get('/')), /ok$/)
    // Those who were busy leave more kept connections to the back end than there were.
    const left = (): boolean => rings(engine) === before.rings && sockets(engine) <= before.sockets + 3
    await server.until('closed', left)
    assert.equal(engineOf(server), engine)
  })
}

test('sendfile: whole files, ranges, kept connections, and a file that becomes shorter', options, async () => {
  const big = Buffer.from(Array.from({ length: 750_000 }, (_, i) => (i * 31) % 251))
  const short = Buffer.alloc(8_000_000, 's')
  await using server = await startViaduct(
    `${EVENTS} http { sendfile on; tcp_nopush on; access_log %%DIR%%/access.log all;
      log_format all '$status $bytes_sent $body_bytes_sent $request_completion';
      server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%; location / { } location /slow { limit_rate 20m; alias %%DIR%%/big; } } }`,
    { files: { big, short }, alerts: true },
  )
  const client = await server.connect()
  client.write('GET /big HTTP/1.1\r\nHost: x\r\n\r\n')
  await server.until('the first', () => client.received.length > big.length)
  client.write('GET /big HTTP/1.1\r\nHost: x\r\nRange: bytes=5-700004,-3\r\n\r\n')
  await client.until(/--\r\n$/)
  client.write('GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const all = await client.rest()
  const text = big.latin1Slice()
  const [first, second, third] = all.split(/(?=HTTP\/1\.1 20)/)
  assert.equal(first!.slice(first!.indexOf('\r\n\r\n') + 4), text)
  assert.ok(second!.includes(`\r\n\r\n${text.slice(5, 700_005)}\r\n--`) && second!.includes(text.slice(-3)))
  assert.equal(third!.slice(third!.indexOf('\r\n\r\n') + 4), text)
  await server.until('three lines', () => server.accessLog().split('\n').length === 4)
  const sizes = [first!, second!, third!].map((part) => part.length)
  assert.deepEqual(server.accessLog().match(/^200 \d+|^206 \d+/gm), [
    `200 ${sizes[0]}`,
    `206 ${sizes[1]}`,
    `200 ${sizes[2]}`,
  ])
  const cut = net.connect({ port: server.port(), host: '127.0.0.1' })
  cut.write(get('/short'))
  await once(cut, 'readable')
  fs.truncateSync(`${server.dir}/short`, 100_000)
  let size = 0
  for await (const piece of cut) size += (piece as Buffer).length
  assert.ok(size < short.length)
  await server.logged(/\[alert\] .*sendfile\(\) reported that ".*\/short" was truncated at \d+/)
})

test('listen: options of the socket', options, async () => {
  await using server = await startViaduct(
    `${EVENTS} http {
      server { listen 127.0.0.1:%%PORT_0%% deferred rcvbuf=64k sndbuf=64k fastopen=5 so_keepalive=30:10:3; return 200 ok; }
      server { listen 127.0.0.1:%%PORT_1%%; location / { stub_status; } }
      server { listen unix:%%DIR%%/sock fastopen=5; } }`,
    { alerts: true },
  )
  await server.logged(
    /\[alert\] .*setsockopt\(TCP_FASTOPEN, 5\) unix:.* failed \(95: Operation not supported\), ignored/,
  )
  assert.equal(server.errorLog().match(/setsockopt/g)?.length, 1)
  // A client that says nothing is not accepted: for a second, which may be over before a slow machine has looked.
  const active = async (): Promise<string> => /\d+/.exec(await (await fetch(server.url('/', 1))).text())![0]
  let silent: Client
  let begin = 0
  let count = ''
  do {
    await server.until('nobody is there', async () => (await active()) === '1')
    begin = performance.now()
    silent = await server.connect()
    count = await active()
    if (count !== '1') silent.close()
  } while (count !== '1' && performance.now() - begin > 500)
  assert.equal(count, '1')
  silent.write(get('/'))
  assert.match(await silent.rest(), /ok$/)
})

test('buffers of connections to back ends', options, async () => {
  await using peer = await Peer.start(() => undefined)
  await using server = await startViaduct(
    `${EVENTS} http { server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://127.0.0.1:${peer.port}; }
      location /small { proxy_socket_rcvbuf 4k; proxy_socket_sndbuf 5k; proxy_pass http://127.0.0.1:${peer.port}; } } }`,
    { busyAtEnd: 'nobody answers' },
  )
  using plain = await server.connect()
  plain.write(get('/'))
  using small = await server.connect()
  small.write(get('/small'))
  await peer.until(() => peer.requests.length === 2)
  const ports = peer.requests.map(({ line, socket }) => [line.split(' ')[1], socket.remotePort] as const)
  const sizes = (target: string): string => {
    const port = ports.find(([found]) => found === target)![1]
    const { stdout } = spawnSync('ss', ['-tnmH', 'sport', '=', `:${port}`], { encoding: 'latin1' })
    return /rb\d+,t\d+,tb\d+/.exec(stdout)?.[0].replace(/,t\d+/, '') ?? stdout
  }
  if (spawnSync('ss', ['-V']).error !== undefined) return
  // The kernel doubles what it is asked for.
  assert.equal(sizes('/small'), 'rb8192,tb10240')
  assert.notEqual(sizes('/'), 'rb8192,tb10240')
})
