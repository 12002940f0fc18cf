/** `$upstream_*` and `$proxy_*`: one value per attempt, joined, in the log and after redirects. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const FORMAT = [
  '$uri',
  '$status',
  '$upstream_addr',
  '$upstream_status',
  '$upstream_response_length',
  '$upstream_bytes_received',
  '$upstream_bytes_sent',
  '$upstream_connect_time',
  '$upstream_header_time',
  '$upstream_response_time',
  '$upstream_http_x_one',
  '$upstream_cookie_a',
  '$proxy_host',
  '$proxy_port',
].join('|')

test('what is logged of attempts', async (t) => {
  const good = reply('hello', ['X-One: 1', 'Set-Cookie: a=b; path=/'])
  await using peer = await Peer.start(({ line }) => {
    if (line.includes('/chunked')) return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
    if (line.includes('/redirect')) return reply('', ['X-Accel-Redirect: /again'])
    return good
  })
  await using broken = await Peer.start(() => reply('bad', [], '503 Busy'))
  const at = `127.0.0.1:${peer.port}`
  const bad = `127.0.0.1:${broken.port}`
  await using server = await startViaduct(`http { access_log %%DIR%%/access.log all; log_format all '${FORMAT}';
    upstream group { server ${bad} weight=100 max_fails=0; server ${at} max_fails=0; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { proxy_pass http://${at}; }
      location /retry { proxy_pass http://group; proxy_next_upstream http_503; }
      location /refused { proxy_pass http://127.0.0.1:%%PORT_1%%; }
      location /none { return 204; } } }`)
  const logged = async (target: string): Promise<string[]> => {
    const before = server.accessLog().length
    await server.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await server.until('it is logged', () => server.accessLog().length > before)
    return server.accessLog().slice(before).trimEnd().split('|')
  }
  const seconds = String.raw`\d+\.\d{3}`

  await t.test('one attempt', async () => {
    const [, status, addr, upstreamStatus, length, received, sent, connect, head, response, ...rest] =
      await logged('/one')
    assert.deepEqual([status, addr, upstreamStatus, length], ['200', at, '200', '5'])
    assert.equal(received, String(good.length))
    assert.equal(sent, String(peer.received.at(-1)!.length))
    for (const time of [connect, head, response]) assert.match(time!, new RegExp(`^${seconds}$`))
    assert.deepEqual(rest, ['1', 'b', at, String(peer.port)])
  })
  await t.test('a chunked body, whose length is that of its chunks', async () => {
    const [, status, , , length] = await logged('/chunked')
    assert.deepEqual([status, length], ['200', '15'])
  })
  await t.test('two attempts', async () => {
    const [, status, addr, statuses, length, , , connect] = await logged('/retry')
    assert.deepEqual([status, addr, statuses], ['200', `${bad}, ${at}`, '503, 200'])
    assert.equal(length, '0, 5')
    assert.match(connect!, new RegExp(`^${seconds}, ${seconds}$`))
  })
  await t.test('an internal redirect begins a new series', async () => {
    const [uri, , addr, statuses] = await logged('/redirect')
    assert.deepEqual([uri, addr, statuses], ['/again', `${at} : ${at}`, '200 : 200'])
  })
  await t.test('a connection that is refused', async () => {
    const [, status, addr, upstreamStatus, length, received, , connect, head] = await logged('/refused')
    assert.deepEqual([status, upstreamStatus, length, received], ['502', '502', '0', '0'])
    assert.equal(addr, `127.0.0.1:${server.port(1)}`)
    assert.deepEqual([connect, head], ['-', '-'])
  })
  await t.test('no attempt', async () => {
    assert.deepEqual((await logged('/none')).slice(1), ['204', ...Array(12).fill('-')])
  })
})

test('$upstream_last_server_name is the server as it was configured', async () => {
  await using peer = await Peer.start(() => reply('ok'))
  await using server = await startViaduct(`http { upstream group { server localhost:${peer.port}; }
    server { listen 127.0.0.1:%%PORT_0%%; add_header X-Server "<$upstream_last_server_name>";
      location / { proxy_pass http://group; } location /none { return 204; } } }`)
  const answer = await server.raw('GET / HTTP/1.0\r\n\r\n')
  assert.ok(answer.includes(`\r\nX-Server: <localhost:${peer.port}>\r\n`), answer)
  assert.match(await server.raw('GET /none HTTP/1.0\r\n\r\n'), /\r\nX-Server: <>\r\n/)
})
