/**
 * Ambiguous requests over real sockets, in front of a back end that keeps what it gets: each is refused, or forwarded in
 * one form that can be read in one way only, and the back end never sees a request that the client did not make.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, type PeerRequest } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
const CHUNKED = 'Transfer-Encoding: chunked'

const post = (fields: string, body: string, version = '1.1') =>
  `POST /first HTTP/${version}\r\nHost: x\r\n${fields}\r\n\r\n${body}`

/** Must be refused; what follows the request must not be served. */
const REFUSED: Readonly<Record<string, string>> = {
  'two lengths that differ': post('Content-Length: 0\r\nContent-Length: 38', SMUGGLED),
  'two lengths that agree': post('Content-Length: 2\r\nContent-Length: 2', `hi${SMUGGLED}`),
  'a list of lengths': post('Content-Length: 2, 2', `hi${SMUGGLED}`),
  'a length with a sign': post('Content-Length: +2', `hi${SMUGGLED}`),
  'a negative length': post('Content-Length: -1', SMUGGLED),
  'a hexadecimal length': post('Content-Length: 0x2', `hi${SMUGGLED}`),
  'an empty length': post('Content-Length:', SMUGGLED),
  'a length too large for a number': post('Content-Length: 99999999999999999999', SMUGGLED),
  'a length with a space inside': post('Content-Length: 1 0', SMUGGLED),
  'length and chunks': post(`Content-Length: 5\r\n${CHUNKED}`, `0\r\n\r\n${SMUGGLED}`),
  'chunks and length': post(`${CHUNKED}\r\nContent-Length: 5`, `0\r\n\r\n${SMUGGLED}`),
  'chunks twice': post(`${CHUNKED}\r\n${CHUNKED}`, `0\r\n\r\n${SMUGGLED}`),
  'another coding': post('Transfer-Encoding: gzip', SMUGGLED),
  'another coding before chunks': post('Transfer-Encoding: gzip, chunked', `0\r\n\r\n${SMUGGLED}`),
  'chunks not last': post('Transfer-Encoding: chunked, identity', `0\r\n\r\n${SMUGGLED}`),
  identity: post('Transfer-Encoding: identity\r\nContent-Length: 2', `hi${SMUGGLED}`),
  'chunked with a vertical tab': post('Transfer-Encoding: \x0bchunked', `0\r\n\r\n${SMUGGLED}`),
  'chunked in quotes': post('Transfer-Encoding: "chunked"', `0\r\n\r\n${SMUGGLED}`),
  'an empty coding': post('Transfer-Encoding:', SMUGGLED),
  'chunks in HTTP/1.0': post(CHUNKED, `0\r\n\r\n${SMUGGLED}`, '1.0'),
  'a space before the colon': post('Content-Length : 38', SMUGGLED),
  'a coding with a space before the colon': post('Transfer-Encoding : chunked', `0\r\n\r\n${SMUGGLED}`),
  'a folded field': post('X-A: 1\r\n Content-Length: 38', SMUGGLED),
  'a folded coding': post('Transfer-Encoding:\r\n chunked', `0\r\n\r\n${SMUGGLED}`),
  'a bare CR in a value': post('X-A: 1\rContent-Length: 38', SMUGGLED),
  'a NUL in a value': post('X-A: 1\0\r\nContent-Length: 0', SMUGGLED),
  'a NUL in a name': post('X\0A: 1', SMUGGLED),
  'a field without a colon': post('Content-Length 38', SMUGGLED),
  'a field without a name': post(': 1', SMUGGLED),
  'a chunk size with a sign': post(CHUNKED, `+0\r\n\r\n${SMUGGLED}`),
  'a chunk size with 0x': post(CHUNKED, `0x0\r\n\r\n${SMUGGLED}`),
  'a chunk size too large': post(CHUNKED, `fffffffffffffffff\r\n${SMUGGLED}`),
  'a chunk size that is empty': post(CHUNKED, `\r\n\r\n${SMUGGLED}`),
  'a chunk longer than its size': post(CHUNKED, `2\r\nhix\r\n0\r\n\r\n${SMUGGLED}`),
  'a chunk line that ends in LF': post(CHUNKED, `2\nhi\r\n0\r\n\r\n${SMUGGLED}`),
  'a chunk that ends in LF': post(CHUNKED, `2\r\nhi\n0\r\n\r\n${SMUGGLED}`),
  'a last chunk that ends in LF': post(CHUNKED, `2\r\nhi\r\n0\n\n${SMUGGLED}`),
  'a bare CR in an extension': post(CHUNKED, `2;a\rb\r\nhi\r\n0\r\n\r\n${SMUGGLED}`),
  'a bare LF in an extension': post(CHUNKED, `2;a\nhi\r\n0\r\n\r\n${SMUGGLED}`),
  'a space in the target': `GET /first /second HTTP/1.1\r\nHost: x\r\n\r\n`,
  'a tab in the request line': `GET\t/first HTTP/1.1\r\nHost: x\r\n\r\n`,
  'a bare CR in the target': `GET /fi\rrst HTTP/1.1\r\nHost: x\r\n\r\n`,
  'a NUL in the target': `GET /fi\0rst HTTP/1.1\r\nHost: x\r\n\r\n`,
  'no Host': `GET /first HTTP/1.1\r\n\r\n`,
  'two Hosts': `GET /first HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`,
  'a Host with a path': `GET /first HTTP/1.1\r\nHost: x/y\r\n\r\n`,
  'HTTP/2.0': `GET /first HTTP/2.0\r\nHost: x\r\n\r\n`,
  'a version that is none': `GET /first HTTP/1.x\r\nHost: x\r\n\r\n`,
}

/** Accepted, with the body that the back end gets; what follows is served as a request of its own. */
const ACCEPTED: Readonly<Record<string, readonly [string, string]>> = {
  'a length': [post('Content-Length: 2', 'hi'), 'hi'],
  'a length with zeros': [post('Content-Length: 002', 'hi'), 'hi'],
  'spaces around a length': [post('Content-Length:   2  ', 'hi'), 'hi'],
  'lower case': [post('content-length: 2', 'hi'), 'hi'],
  chunks: [post(CHUNKED, '2\r\nhi\r\n0\r\n\r\n'), 'hi'],
  'chunks in other case': [post('transfer-encoding: CHUNKED', '2\r\nhi\r\n0\r\n\r\n'), 'hi'],
  'a chunk size with zeros': [post(CHUNKED, '0002\r\nhi\r\n000\r\n\r\n'), 'hi'],
  'a chunk extension': [post(CHUNKED, '2;a=b;c="d"\r\nhi\r\n0;x\r\n\r\n'), 'hi'],
  trailers: [post(CHUNKED, '2\r\nhi\r\n0\r\nContent-Length: 50\r\nX-T: 1\r\n\r\n'), 'hi'],
  'a body that looks like a request': [post(`Content-Length: ${SMUGGLED.length}`, SMUGGLED), SMUGGLED],
  'a chunk that looks like a last one': [post(CHUNKED, `5\r\n0\r\n\r\n\r\n0\r\n\r\n`), '0\r\n\r\n'],
  'lines that end in LF': ['POST /first HTTP/1.1\nHost: x\nContent-Length: 2\n\nhi', 'hi'],
  'a GET with a body': ['GET /first HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi', 'hi'],
  'Connection that names the length': [post('Connection: content-length\r\nContent-Length: 2', 'hi'), 'hi'],
}

for (const buffering of ['on', 'off']) {
  test(`proxy_request_buffering ${buffering}`, async (t) => {
    await using peer = await Peer.start()
    await using server = await startViaduct(`http { client_body_temp_path %%DIR%%/body; client_header_timeout 1s;
      server { listen 127.0.0.1:%%PORT_0%%; client_body_timeout 1s; lingering_timeout 200ms;
        location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_request_buffering ${buffering}; } } }`)
    const seen = async (bytes: string): Promise<{ answer: string; requests: readonly PeerRequest[] }> => {
      const before = peer.requests.length
      const answer = await server.raw(bytes)
      return { answer, requests: peer.requests.slice(before) }
    }
    for (const [name, bytes] of Object.entries(REFUSED)) {
      await t.test(`refused: ${name}`, async () => {
        const { answer, requests } = await seen(bytes)
        assert.deepEqual(
          requests.map(({ line }) => line),
          [],
        )
        if (answer !== '') assert.match(answer, /^HTTP\/1\.1 (400|411|413|501|505) /)
        assert.equal(answer.match(/HTTP\/1\.1 \d+/g)?.length ?? 1, 1)
      })
    }
    for (const [name, [bytes, body]] of Object.entries(ACCEPTED)) {
      await t.test(`accepted: ${name}`, async () => {
        const { answer, requests } = await seen(`${bytes}GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
        assert.equal(answer.match(/HTTP\/1\.1 200 OK\r\n/g)?.length, 2)
        assert.deepEqual(
          requests.map(({ line }) => line.split(' ')[1]),
          ['/first', '/end'],
        )
        assert.equal(requests[0]!.body, body)
        // The peer fails on its own when a request is framed in two ways.
        assert.equal(
          requests[0]!.fields.filter(([field]) => /^(content-length|transfer-encoding)$/i.test(field)).length,
          1,
        )
        assert.equal(requests[0]!.field('x-t'), undefined)
      })
    }
  })
}

test('what a URI decodes to cannot end a line', async (t) => {
  await using peer = await Peer.start()
  const pass = `proxy_pass http://127.0.0.1:${peer.port}`
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location /field { ${pass}; proxy_set_header X-Uri $uri; }
    location /variable { ${pass}$uri; }
    location ~ ^/capture/([^@]*)$ { ${pass}/to/$1; }
    location /rewrite { rewrite ^/rewrite/(.*)$ /to/$1 break; ${pass}; }
    location /args { rewrite ^/args/(.*)$ /to?$1? break; ${pass}; }
    location /host { ${pass}; proxy_set_header Host $uri; }
    location /body { ${pass}; proxy_set_body "a\\r\\n\\r\\nGET /smuggled HTTP/1.1\\r\\n\\r\\n"; } } }`)
  for (const place of ['field', 'variable', 'capture', 'rewrite', 'args', 'host', 'body']) {
    await t.test(place, async () => {
      const before = peer.requests.length
      const target = `/${place}/x%0d%0aX-Smuggled:%201%0d%0a%0d%0aGET%20/smuggled%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0a`
      await server.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      const requests = peer.requests.slice(before)
      assert.equal(requests.length, 1)
      assert.equal(requests[0]!.field('x-smuggled'), undefined)
      assert.match(requests[0]!.line, /^GET [^ ]+ HTTP\/1\.1$/)
    })
  }
})
