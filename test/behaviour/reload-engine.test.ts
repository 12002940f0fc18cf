/** What the process that serves, and its threads, began with, and another configuration has otherwise: they follow a reload. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { whyNoRing } from '../../src/net/engine.ts'
import { type Server, startViaduct, withDefaults } from '../harness/server.ts'

/** Threads that start later load their code faster with the rights of the first ones. */
const USER = process.geteuid?.() === 0 ? 'user root;' : ''
const HTTP = 'http { server { listen 127.0.0.1:%%PORT_0%%; return 200 $time_iso8601; } }'

function enginePid({ pid }: Server): number {
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')
  return Number(children.at(-1))
}

function limit(pid: number, title: string): number {
  const text = fs.readFileSync(`/proc/${pid}/limits`, 'latin1')
  const soft = new RegExp(`^${title} +(\\w+) `, 'm').exec(text)![1]!
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}

// Also where the engine has another account than its master, which has no right to its limits then.
test('limits rise and fall again, as often as they change, and are as before when nothing is said', async () => {
  await using server = await startViaduct(`worker_rlimit_nofile 700; worker_rlimit_core 4096; ${HTTP}`)
  const pid = enginePid(server)
  const own = { files: limit(server.pid, 'Max open files'), core: limit(server.pid, 'Max core file size') }
  const limits = () => ({ files: limit(pid, 'Max open files'), core: limit(pid, 'Max core file size') })
  assert.deepEqual(limits(), { files: 700, core: 4096 })
  await server.reload(`worker_rlimit_nofile 900; worker_rlimit_core 8k; ${HTTP}`)
  assert.deepEqual(limits(), { files: 900, core: 8192 })
  await server.reload(`worker_rlimit_nofile 800; worker_rlimit_core 0; ${HTTP}`)
  assert.deepEqual(limits(), { files: 800, core: 0 })
  await server.reload(HTTP)
  assert.deepEqual(limits(), own)
  assert.equal(enginePid(server), pid)
})

test('a limit that nobody may set is told once, and serving goes on', async (t) => {
  const status = fs.readFileSync('/proc/self/status', 'latin1')
  const rights = BigInt(`0x${/^CapEff:\t(\w+)/m.exec(status)![1]!}`)
  const [, hard] = /^Max open files +\w+ +(\d+) /m.exec(fs.readFileSync('/proc/self/limits', 'latin1')) ?? []
  if (hard === undefined || (rights & (1n << 24n)) !== 0n) return t.skip('there is nothing that may not be set')
  await using server = await startViaduct(HTTP, { alerts: true })
  await server.reload(`worker_rlimit_nofile ${Number(hard) + 1}; ${HTTP}`)
  assert.equal(server.errorLog().match(/setrlimit\(RLIMIT_NOFILE, \d+\) failed \(1: /g)?.length, 1)
  assert.equal(limit(enginePid(server), 'Max open files'), limit(server.pid, 'Max open files'))
  assert.match(await server.raw('GET / HTTP/1.0\r\n\r\n'), / 200 OK\r\n/)
})

test('a variable of the environment that changes, or goes again', async () => {
  // Of a zone's name the sign means the opposite.
  await using server = await startViaduct(`env TZ=Etc/GMT-2; ${HTTP}`, { env: { TZ: 'Etc/GMT-1' } })
  const hours = async () => /\+0(\d):00$/.exec(await server.raw('GET / HTTP/1.0\r\n\r\n'))?.[1]
  // The time is made once per second.
  await server.until('the zone of the start', async () => (await hours()) === '2')
  await server.reload(`env TZ=Etc/GMT-3; ${HTTP}`)
  await server.until('another one', async () => (await hours()) === '3')
  await server.reload(HTTP)
  await server.until('the own one', async () => (await hours()) === '1')
})

function served(use: string, mark: string): string {
  return `events { ${use} } ${USER} http { limit_req_zone $binary_remote_addr zone=r:1m rate=1r/m;
    server { listen 127.0.0.1:%%PORT_0%%; listen unix:%%DIR%%/sock;
      location / { return 200 "${mark}"; }
      location /once { limit_req zone=r; try_files /nothing =404; }
      location /body { proxy_pass http://unix:%%DIR%%/sock:/; } } }`
}

const ring = { skip: whyNoRing() === '' ? false : whyNoRing() }

function rings(server: Server): number {
  const folder = `/proc/${enginePid(server)}/fd`
  return fs.readdirSync(folder).filter((fd) => {
    try {
      return fs.readlinkSync(`${folder}/${fd}`).includes('io_uring')
    } catch {
      return false // It is closed meanwhile.
    }
  }).length
}

test('"use" changes what drives sockets, and nobody is lost', ring, async () => {
  await using server = await startViaduct(served('use epoll;', 'first'))
  const pid = enginePid(server)
  // Node's library has some for itself, one for each loop of events.
  const others = rings(server)
  assert.match(await server.raw('GET /once HTTP/1.0\r\n\r\n'), / 404 /)
  using slow = await server.connect()
  slow.write('POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na')
  await server.logged(/http request line: "POST \/body/)
  let going = true
  const clients = (async () => {
    for (let n = 0; going; n++) assert.match(await server.raw('GET / HTTP/1.0\r\n\r\n'), / 200 OK\r\n/, `request ${n}`)
  })()
  for (const [use, count] of [
    ['use io_uring;', 1],
    ['use epoll;', 0],
    ['io_uring_tls off;', 1],
  ] as const) {
    // What `server.reload` waits for may be the end of a thread that drains.
    server.prefix.write('nginx.conf', withDefaults(served(use, `next ${use}`)))
    server.signal('SIGHUP')
    await server.until(`"${use}" serves`, async () =>
      (await server.raw('GET / HTTP/1.0\r\n\r\n')).endsWith(`next ${use}`),
    )
    // Those before drain; one waits for a client.
    await server.until(`rings by "${use}"`, () => rings(server) === others + 1 + count)
  }
  going = false
  await clients
  slow.write('b')
  assert.match(await slow.rest(), / 200 OK\r\n(?:.*\r\n)*\r\nnext io_uring_tls off;$/)
  assert.match(await server.raw('GET /once HTTP/1.0\r\n\r\n'), / 503 /)
  assert.equal(enginePid(server), pid)
  assert.equal(server.errorLog().match(/: using the "io_uring" event method/g)?.length, 2)
})

test('a process alone says that it keeps what it has', ring, async () => {
  const alone = (use: string) => `events { ${use} } master_process off; ${HTTP}`
  await using server = await startViaduct(alone('use epoll;'))
  server.prefix.write('nginx.conf', withDefaults(alone('use io_uring;')))
  server.signal('SIGHUP')
  await server.logged(/\[warn\] .*"epoll" drives sockets on, not "io_uring": the only thread keeps what it began with/)
})

test('workers that drain are counted beside those in their places', async () => {
  const conf = (workers: number) => `${USER} worker_processes ${workers}; http {
    server { listen 127.0.0.1:%%PORT_0%%; location / { return 204; } location /status { stub_status; } } }`
  await using server = await startViaduct(conf(3))
  const clients = await Promise.all(Array.from({ length: 12 }, () => server.connect()))
  const active = async () => / (\d+) \n/.exec(await server.raw('GET /status HTTP/1.0\r\n\r\n'))?.[1]
  for (const client of clients) client.write('GET / HTTP/1.1\r\nHost: x\r\n')
  await server.until('all are there', async () => (await active()) === '13')
  for (const workers of [1, 3]) {
    server.prefix.write('nginx.conf', withDefaults(conf(workers)))
    await server.reload()
  }
  await server.until('three workers again', () => server.errorLog().match(/start worker process \d+/g)?.length === 5)
  await server.until('all are there still', async () => (await active()) === '13')
  for (const client of clients) {
    client.write('Connection: close\r\n\r\n')
    assert.match(await client.rest(), / 204 No Content\r\n/)
  }
  await server.until('all are gone', async () => (await active()) === '1')
})
