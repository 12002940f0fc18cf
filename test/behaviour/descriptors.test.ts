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

/** A limit below what is in use: whatever is opened from now on fails. */
function limitDescriptors(server: Server, soft: number): void {
  const children = fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1')
  const engine = children.trim().split(' ').at(-1)!
  execFileSync('prlimit', ['--pid', engine, `--nofile=${soft}:`])
}

function isAnswered(client: Client): boolean {
  return client.received !== ''
}
