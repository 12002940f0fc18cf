/** `diff` and `explain --diff`: what another configuration changes for requests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Workshop } from './console.ts'

const OLD = `events {}
http {
  upstream api { server 10.9.9.1:8000; server 10.9.9.2:8000; }
  server {
    listen 80; server_name example.com;
    location / { return 200 home; }
    location /api/ { proxy_set_header X-From $remote_addr; proxy_pass http://api/; }
    location ~ \\.(css|js)$ { return 200 code; }
  }
}
`

interface Found {
  readonly requests: number
  readonly changes: readonly {
    readonly changes: readonly string[]
    readonly requests: number
    readonly examples: readonly string[]
  }[]
}

async function differences(next: string, words: readonly string[] = [], log = ''): Promise<Found> {
  using shop = new Workshop({ 'old.conf': OLD, 'new.conf': next, 'access.log': log })
  const { out, error, status } = await shop.run(['diff', '--json', ...words, 'old.conf', 'new.conf'])
  assert.equal(error, '')
  const found = JSON.parse(out) as Found
  assert.equal(status, found.changes.length === 0 ? 0 : 1)
  return found
}

test('what is written otherwise and means the same is no change', async () => {
  const same = OLD.replace('listen 80; ', 'listen 80;\n  # comment\n  ').replace('location / {', 'location "/" {')
  const { requests, changes } = await differences(same)
  assert.deepEqual(changes, [])
  assert.ok(requests >= 6, `${requests} requests`)
})

test('fields, locations and back ends that change are found by requests of their own', async () => {
  const next = OLD.replace('X-From $remote_addr', 'X-From me')
    .replace('.(css|js)', '.(css|mjs)')
    .replace('http://api/', 'http://api/v2/')
  const { changes } = await differences(next)
  const all = changes.flatMap((group) => group.changes)
  assert.ok(all.includes('~ back end field X-From: 127.0.0.1 -> me'), all.join('\n'))
  assert.ok(all.includes('~ back end: http://api/x -> http://api/v2/x'), all.join('\n'))
  const code = await differences(OLD.replace('(css|js)', '(mjs|js)'))
  assert.deepEqual(
    code.changes.map(({ examples }) => examples),
    [['GET http://example.com/x.css'], ['GET http://example.com/x.mjs']],
  )
})

test('the requests of a log are replayed and counted, also with the host first', async () => {
  const line = (target: string, host = ''): string =>
    `${host}127.0.0.1 - - [29/Nov/2026:12:00:00 +0000] "GET ${target} HTTP/1.1" 200 5 "-" "curl"\n`
  const log = line('/api/a?x=1') + line('/api/a?x=2') + line('/') + line('/api/b', 'example.com:80 ')
  const { requests, changes } = await differences(
    OLD.replace('X-From $remote_addr', 'X-From me'),
    ['--log', 'access.log'],
    log,
  )
  assert.equal(requests, 3)
  assert.deepEqual(
    changes.map(({ changes: what, requests: count }) => [what, count]),
    [[['~ back end field X-From: 127.0.0.1 -> me'], 3]],
  )
})

test('a limit, an access rule, a listening address', async () => {
  const limited = OLD.replace('upstream', 'limit_req_zone $remote_addr zone=one:1m rate=5r/s;\n  upstream').replace(
    '/api/ {',
    '/api/ { limit_req zone=one burst=3; deny 127.0.0.1;',
  )
  const { changes } = await differences(limited)
  const all = changes.flatMap((group) => group.changes).join('\n')
  assert.match(all, /^\+ limit: counted by its key \$remote_addr \("127.0.0.1"\) in zone "one", 5r\/s, burst 3$/m)
  assert.match(all, /^~ status: 200 -> 403$/m)
  const moved = await differences(OLD.replace('listen 80', 'listen 8080'))
  assert.match(moved.changes.flatMap((group) => group.changes).join('\n'), /^~ listener: 0.0.0.0:80 -> none$/m)
})

test('a configuration that no server would start with cannot be compared', async () => {
  using shop = new Workshop({ 'old.conf': OLD, 'new.conf': OLD.replace('return 200 home', 'retrun 200 home') })
  const { status, error } = await shop.run(['diff', 'old.conf', 'new.conf'])
  assert.equal(status, 2)
  assert.match(error, /unknown directive "retrun"/)
  assert.match(error, /viaduct diff: new.conf is no configuration that a server would start with\n$/)
})

test('explain --diff speaks of one request', async () => {
  using shop = new Workshop({ 'old.conf': OLD, 'new.conf': OLD.replace('X-From $remote_addr', 'X-From me') })
  const changed = await shop.run(['explain', '-c', 'new.conf', '--diff', 'old.conf', 'http://example.com/api/x'])
  assert.deepEqual([changed.status, changed.out], [1, '~ back end field X-From: 127.0.0.1 -> me\n'])
  const same = await shop.run(['explain', '-c', 'new.conf', '--diff', 'old.conf', 'http://example.com/'])
  assert.deepEqual([same.status, same.out], [0, 'nothing changes\n'])
})
