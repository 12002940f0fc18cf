/** Out of descriptors: who comes waits, who is there gets an answer, and all is well when there are some again. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { type Client, type Server, startViaduct } from '../harness/server.ts'

const LIMIT = 140

/** Only who is the same may change limits. */
const USER = process.geteuid?.() === 0 ? 'user root;' : ''
const CONF = `${USER} worker_processes 2; worker_rlimit_nofile ${LIMIT}; http {
  server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%; keepalive_timeout 60s;
    location /ok { return 200 fine|; }
    location /back { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /names/ { resolver 127.0.0.1:%%PORT_2%%; resolver_timeout 1s; set $name some.test; proxy_pass http://$name; }
    location /upload { client_body_buffer_size 1k; client_max_body_size 1m; proxy_pass http://127.0.0.1:%%PORT_1%%; }
  }
}`

test('new clients wait in the queue and are served later', async () => {
  await using server = await startViaduct(CONF)
  const held = await Promise.all(Array.from({ length: LIMIT + 60 }, () => server.connect()))
  await server.logged(/\[crit\] .*accept4\(\) failed \(24: Too many open files\)/)
  for (const client of held) client.write('GET /ok HTTP/1.1\r\nHost: x\r\n\r\n')
  await server.until('those who got in are answered', () => held.filter(isAnswered).length > 20)
  const waiting = held.filter((client) => !isAnswered(client))
  assert.ok(waiting.length > 40, `${waiting.length} wait`)
  assert.equal(held.filter((client) => client.socket.destroyed).length, 0)
  for (const client of held) if (isAnswered(client)) client.close()
  for (const client of waiting) {
    assert.match(await client.until(/fine\|/), /^HTTP\/1.1 200 /)
    client.close()
  }
  assert.match(await server.raw('GET /ok HTTP/1.0\r\n\r\n'), /fine\|/)
})

test('those who are connected are answered when there is no descriptor for what they ask', async () => {
  await using server = await startViaduct(CONF, { alerts: true, files: { 'page.html': 'x'.repeat(100_000) } })
  const ask: readonly (readonly [string, string, RegExp])[] = [
    ['/page.html', '', /^HTTP\/1.1 500 /],
    ['/back', '', /^HTTP\/1.1 500 /],
    ['/names/', '', /^HTTP\/1.1 50[0-4] /],
    ['/upload', 'b'.repeat(20_000), /^HTTP\/1.1 500 /],
    ['/ok', '', /^HTTP\/1.1 200 /],
  ]
  const clients = await Promise.all(ask.map(() => server.connect()))
  for (const client of clients) client.write('GET /ok HTTP/1.1\r\nHost: x\r\n\r\n')
  for (const client of clients) await client.until(/fine\|/)
  limitDescriptors(server, 10)
  for (const [i, [target, body]] of ask.entries()) {
    const head = `${body === '' ? 'GET' : 'POST'} ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`
    clients[i]!.write(head + body)
  }
  for (const [i, [target, , status]] of ask.entries()) {
    const [, answer = ''] = (await clients[i]!.until(/fine\|[\s\S]*\r\n\r\n/)).split('fine|')
    assert.match(answer, status, target)
  }
  assert.match(server.errorLog(), /\[crit\] .*open\(\) ".*page.html" failed \(24: Too many open files\)/)
  assert.match(
    server.errorLog(),
    /\[alert\] .*socket\(\) failed \(24: Too many open files\) while connecting to upstream/,
  )
  assert.match(server.errorLog(), /\[crit\] .*open\(\) ".*client_body_temp\/\d+" failed \(24: Too many open files\)/)
  server.signal('SIGUSR1')
  await server.logged(/reopening logs/)
  const late = await server.connect()
  late.write('GET /ok HTTP/1.0\r\n\r\n')
  await server.logged(/\[crit\] .*accept4\(\) failed \(24: Too many open files\)/)
  limitDescriptors(server, LIMIT)
  assert.match(await late.until(/fine\|/), /^HTTP\/1.1 200 /)
  assert.match(await server.raw('GET /page.html HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 /)
  assert.doesNotMatch(server.errorLog(), /exited with code/)
})

test('a thread hears of the shortage of another one before a client comes', async () => {
  const conf = `events { use epoll; }\n${CONF}`
  await using server = await startViaduct(conf, { alerts: true, files: { 'page.html': 'x'.repeat(100_000) } })
  const first = await server.connect()
  first.write('GET /ok HTTP/1.1\r\nHost: x\r\n\r\n')
  await first.until(/fine\|/)
  limitDescriptors(server, 10)
  first.write('GET /page.html HTTP/1.1\r\nHost: x\r\n\r\n')
  await first.until(/ 500 /)
  await server.until('both rest', () => listeningDescriptors(engineOf(server), server.port()) === 0)
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.connect()))
  for (const client of clients) client.write('GET /ok HTTP/1.0\r\n\r\n')
  limitDescriptors(server, LIMIT)
  for (const client of clients) assert.match(await client.until(/fine\|/), /^HTTP\/1.1 200 /)
})

/** The master sends each socket twice, as it does when it was slow and has been asked again. */
const TWICE = `
import childProcess from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
const { spawn } = childProcess
childProcess.spawn = (...words) => {
  const child = spawn(...words)
  const send = child.send?.bind(child)
  child.send = (message, handle, ...rest) => {
    if (message.type === 'socket') send(message, handle, {}, () => {})
    return send(message, handle, ...rest)
  }
  return child
}
syncBuiltinESMExports()
`

test('a socket that comes twice is had once, and not kept when its address goes', async () => {
  const options = { files: { 'twice.mjs': TWICE }, env: { NODE_OPTIONS: '--import=./twice.mjs' }, cwd: true }
  await using server = await startViaduct(CONF, options)
  assert.match(await server.raw('GET /ok HTTP/1.0\r\n\r\n'), /fine\|/)
  // Each worker accepts on one descriptor, and the engine keeps none of its own.
  await server.until('one for each worker', () => listeningDescriptors(engineOf(server), server.port()) === 2)
  await server.reload(CONF.replace('%%PORT_0%%', '%%PORT_1%%'))
  await server.until('the address is gone', async () => !(await server.listens()))
})

/** How many descriptors of a process are the sockets that listen on a port. */
function listeningDescriptors(pid: string, port: number): number {
  const rows = fs
    .readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = rows.filter((row) => row[3] === '0A' && row[1]!.endsWith(end)).map((row) => `socket:[${row[9]}]`)
  const links = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`))
  return links.filter((link) => inodes.includes(link)).length
}

/** A limit below what is in use: whatever is opened from now on fails. */
function limitDescriptors(server: Server, soft: number): void {
  execFileSync('prlimit', ['--pid', engineOf(server), `--nofile=${soft}:`])
}

function isAnswered(client: Client): boolean {
  return client.received !== ''
}

function engineOf({ pid }: Server): string {
  return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').at(-1)!
}
