/** Whatever a client sends, the error log gets no value of a field that may be a secret, and no line of the client's making. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { H2Client } from '../harness/h2-client.ts'
import { Peer } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const SECRET = 'c2VjcmV0'

/** Heads that are refused, each with the secret in a place of its own, and what is logged of them. */
const HEADS: readonly (readonly [what: string, lines: string, logged: RegExp])[] = [
  ['an invalid value', `Authorization: Basic ${SECRET}\0x`, /invalid header line: "Authorization: \.\.\.\\x00\.\.\."/],
  ['a bare CR', `X-Token: ${SECRET}\rx`, /invalid header line: "X-Token: \.\.\.\\x78\.\.\."/],
  [
    'a second field',
    `Authorization: a\r\nAuthorization: ${SECRET}`,
    /"Authorization: \.\.\.", previous value: "Author/,
  ],
  ['a first field', `Authorization: ${SECRET}\r\nAuthorization: a`, /duplicate header line: "Authorization: \.\.\."/],
  ['a long line', `Cookie: ${SECRET.repeat(5000)}`, /too long header line: "Cookie: \.\.\.\.\.\."/],
  ['a folded line', `Cookie: a\r\n ${SECRET}`, /invalid header line: "\\x20\.\.\."/],
]

test('secrets in fields of refused heads', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; http2 on; } }`)
  for (const [what, lines, logged] of HEADS) {
    await server.raw(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`)
    await server.until(what, () => logged.test(server.errorLog()))
  }
  await using client = await H2Client.connect(server.port())
  client.request(1, { fields: [['authorization', `${SECRET}\n`]] })
  client.request(3, { fields: [['cookie', `${SECRET}\r`]] })
  await Promise.all([client.response(1), client.response(3)])
  await server.logged(/client sent header "authorization" with invalid value: "\.\.\."/)
  assert.ok(!server.errorLog().includes(SECRET), 'no secret is logged')
})

test('secrets in fields of a back end', async () => {
  const answer = (lines: string) => `HTTP/1.1 200 OK\r\n${lines}\r\nContent-Length: 0\r\n\r\n`
  await using peer = await Peer.start(() => answer(`Set-Cookie: ${SECRET}\0`))
  await using server = await startViaduct(
    `http { server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://127.0.0.1:${peer.port}; } } }`,
  )
  await fetch(server.url('/'))
  await server.logged(/upstream sent invalid header: "Set-Cookie: \.\.\.\\x00\.\.\."/)
  assert.ok(!server.errorLog().includes(SECRET), 'no secret is logged')
})

test('control characters of a URI', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; } }`)
  await fetch(server.url('/x%0A2026/01/01%2000:00:00%20[emerg]%20forged%1b[2J'))
  await server.logged(/open\(\) ".*x\\x0A2026\/01\/01 00:00:00 \[emerg\] forged\\x1B\[2J" failed/)
  assert.doesNotMatch(server.errorLog(), /^2026\/01\/01/m)
})
