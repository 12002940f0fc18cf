/** What logs and variables tell of HTTP/2 requests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { H2Client, requestFields } from '../harness/h2-client.ts'
import { startViaduct } from '../harness/server.ts'

const CONF = `http {
  log_format told '$connection_requests|$request_method|$uri|$args|$server_protocol|$status';
  access_log access.log told;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    location /body { return 200 "$connection_requests"; }
    location /none { return 000; }
    location /nought { return 099; }
  }
}`

test('which request of its connection it is, however many have begun since', async () => {
  await using server = await startViaduct(CONF)
  await using client = await H2Client.connect(server.prefix.port())
  for (const id of [1, 3, 5]) client.request(id, { method: 'POST', path: `/body?${id}`, open: true })
  for (const id of [5, 3, 1]) client.data(id, '', true)
  assert.deepEqual(await Promise.all([1, 3, 5].map(async (id) => (await client.response(id)).body)), ['1', '2', '3'])
  await server.until('all are logged', () => server.prefix.read('access.log').split('\n').length === 4)
  assert.deepEqual(server.prefix.read('access.log').trim().split('\n').toSorted(), [
    '1|POST|/body|1|HTTP/2.0|200',
    '2|POST|/body|3|HTTP/2.0|200',
    '3|POST|/body|5|HTTP/2.0|200',
  ])
})

test('a refused request is told with its path', async () => {
  await using server = await startViaduct(CONF)
  await using client = await H2Client.connect(server.prefix.port())
  const refused = [
    { path: '/a%41/../b?x', method: 'TRACE' },
    { path: '/length', fields: [['content-length', 'x']] },
    { raw: requestFields({ path: '/hostless' }).filter(([name]) => name !== ':authority') },
    { raw: requestFields({ path: '/methodless' }).filter(([name]) => name !== ':method') },
    { path: '/../up' },
    { path: '/a b' },
  ] as const
  for (const [n, options] of refused.entries()) {
    client.request(n * 2 + 1, options)
    await client.response(n * 2 + 1)
  }
  await server.until('all are logged', () => server.prefix.read('access.log').split('\n').length === 7)
  assert.deepEqual(server.prefix.read('access.log').trim().split('\n'), [
    '1|TRACE|/b|x|HTTP/2.0|405',
    '2|GET|/length|-|HTTP/2.0|400',
    '3|GET|/hostless|-|HTTP/2.0|400',
    '4|-|/methodless|-|HTTP/2.0|400',
    '5|GET||-|HTTP/2.0|400',
    '6|GET||-|HTTP/2.0|400',
  ])
})

test('a status has three digits', async () => {
  await using server = await startViaduct(CONF)
  await using client = await H2Client.connect(server.prefix.port())
  for (const [id, path, status] of [
    [1, '/none', '000'],
    [3, '/nought', '099'],
  ] as const) {
    client.request(id, { path })
    const head = await client.waitFor((frame) => frame.stream === id && frame.fields.length > 0)
    assert.deepEqual(head.fields[0], [':status', status])
  }
})
