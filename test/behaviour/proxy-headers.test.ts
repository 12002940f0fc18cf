/** Which header fields reach the back end, and how they are written. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, type PeerRequest, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

/** Sends a request whose head has these lines besides Host, and returns what the back end got. */
async function sent(server: Server, peer: Peer, target: string, lines: readonly string[] = []): Promise<PeerRequest> {
  const head = [`GET ${target} HTTP/1.1`, 'Host: Example.com:81', 'Connection: close', ...lines, '', '']
  const answer = await server.raw(head.join('\r\n'))
  assert.match(answer, /^HTTP\/1\.1 200 /)
  return peer.requests.at(-1)!
}

test('header fields on the way to the back end', async (t) => {
  await using peer = await Peer.start()
  const pass = `proxy_pass http://127.0.0.1:${peer.port};`
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; server_name example.com;
    location /plain { ${pass} }
    location /old { ${pass} proxy_http_version 1.0; }
    location /set {
      ${pass} proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Empty "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header x-given ours;
    }
    location /host-header { ${pass} proxy_set_header Host $http_host; }
    location /outer { proxy_set_header X-Outer yes;
      location /outer/inherits { ${pass} }
      location /outer/replaces { ${pass} proxy_set_header X-Inner yes; } }
    location /none { ${pass} proxy_pass_request_headers off; } } }`)

  await t.test('defaults: Host of the back end, no hop-by-hop fields', async () => {
    const { fields } = await sent(server, peer, '/plain', ['X-A: 1', 'Keep-Alive: 5', 'Accept: */*'])
    assert.deepEqual(fields, [
      ['Host', `127.0.0.1:${peer.port}`],
      ['X-A', '1'],
      ['Accept', '*/*'],
    ])
  })
  await t.test('no Connection field with version 1.0 either', async () => {
    const { line, fields } = await sent(server, peer, '/old', ['Proxy-Connection: keep-alive'])
    assert.equal(line, 'GET /old HTTP/1.0')
    assert.deepEqual(fields, [['Host', `127.0.0.1:${peer.port}`]])
  })
  await t.test('set, replaced and removed fields', async () => {
    const request = await sent(server, peer, '/set', ['X-Empty: x', 'X-Given: theirs', 'X-Forwarded-For: 1.2.3.4'])
    assert.equal(request.field('host'), 'example.com')
    assert.equal(request.field('x-real-ip'), '127.0.0.1')
    assert.equal(request.field('x-forwarded-for'), '1.2.3.4, 127.0.0.1')
    assert.equal(request.field('x-given'), 'ours')
    assert.equal(request.field('x-empty'), undefined)
  })
  await t.test('repeated X-Forwarded-For fields are one list', async () => {
    const request = await sent(server, peer, '/set', ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2'])
    assert.equal(request.field('x-forwarded-for'), '1.1.1.1, 2.2.2.2, 127.0.0.1')
  })
  await t.test('Host as the client wrote it', async () => {
    assert.equal((await sent(server, peer, '/host-header')).field('host'), 'Example.com:81')
  })
  await t.test('a block with fields of its own inherits none', async () => {
    assert.equal((await sent(server, peer, '/outer/inherits')).field('x-outer'), 'yes')
    const replaced = await sent(server, peer, '/outer/replaces')
    assert.equal(replaced.field('x-outer'), undefined)
    assert.equal(replaced.field('x-inner'), 'yes')
  })
  await t.test('the fields of the client may be left out', async () => {
    const { fields } = await sent(server, peer, '/none', ['X-A: 1', 'Cookie: a'])
    assert.deepEqual(fields, [['Host', `127.0.0.1:${peer.port}`]])
  })
  await t.test('names with underscores are dropped', async () => {
    const { fields } = await sent(server, peer, '/plain', ['X_A: 1', 'X-B: 2'])
    assert.deepEqual(fields.slice(1), [['X-B', '2']])
  })
})

test('how fields are written', async (t) => {
  await using peer = await Peer.start()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  await t.test('repeated fields stay apart and in order', async () => {
    const { fields } = await sent(server, peer, '/plain', ['X-A: 1', 'X-B: 2', 'x-a: 3'])
    assert.deepEqual(fields.slice(1), [
      ['X-A', '1'],
      ['X-B', '2'],
      ['x-a', '3'],
    ])
  })
  await t.test('lines in odd form are written anew', async () => {
    const { fields } = await sent(server, peer, '/plain', ['X-A:1', 'X-B:   2  ', 'X-C:'])
    assert.deepEqual(fields.slice(1), [
      ['X-A', '1'],
      ['X-B', '2'],
      ['X-C', ''],
    ])
    assert.ok(peer.received.at(-1)!.includes('X-A: 1\r\nX-B: 2\r\nX-C: \r\n'))
  })
})

test('underscores_in_headers lets them through', async () => {
  await using peer = await Peer.start()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; underscores_in_headers on;
    location / { proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  assert.equal((await sent(server, peer, '/', ['X_A: 1'])).field('x_a'), '1')
})

test('with proxy_pass_header, a back end that sends no Date or Server has the client get none', async (t) => {
  let fields: readonly string[] = []
  await using peer = await Peer.start(() => reply('ok', fields))
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    proxy_pass_header Date; proxy_pass_header server;
    location / { proxy_pass http://127.0.0.1:${peer.port}; }
    location /own { proxy_pass_header X-Pad; proxy_pass http://127.0.0.1:${peer.port}; } } }`)
  for (const [what, path, sent, wanted] of [
    ['theirs', '/', ['Date: then', 'Server: them'], ['Date: then', 'Server: them']],
    ['none', '/', [], []],
    ['one of them', '/', ['Server: them'], ['Server: them']],
    ['ours', '/own', ['Server: them'], ['Date: [A-Z]', 'Server: viaduct']],
  ] as const) {
    await t.test(what, async () => {
      fields = sent
      const text = await server.raw(`GET ${path} HTTP/1.0\r\n\r\n`)
      for (const field of wanted) assert.match(text, new RegExp(`^${field}`, 'm'))
      assert.equal((text.match(/^(?:Date|Server): /gm) ?? []).length, wanted.length, text)
    })
  }
})
