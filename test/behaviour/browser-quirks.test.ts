/** `keepalive_disable` and `msie_refresh`: exceptions for old browsers, as nginx makes them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / { return 204; }
    location /safari { keepalive_disable safari; return 204; }
    location /none { keepalive_disable none; return 204; }
    location /refresh { msie_refresh on; return 301 http://example.com/a"b; }
  }
}`

const MSIE6 = 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.0)'
const SAFARI = 'Mozilla/5.0 (Macintosh; Intel Mac OS X) AppleWebKit/420 (KHTML, like Gecko) Safari/419.3'

test('connections close for browsers that keep-alive is disabled for', async () => {
  await using server = await startViaduct(CONF)
  const connection = async (method: string, uri: string, agent: string): Promise<string> => {
    const head = `${method} ${uri} HTTP/1.1\r\nHost: a\r\nUser-Agent: ${agent}\r\nContent-Length: 0\r\n\r\n`
    const answer = await server.raw(`${head}GET / HTTP/1.0\r\n\r\n`)
    return /Connection: ([\w-]+)/.exec(answer)![1]!
  }
  assert.equal(await connection('POST', '/', MSIE6), 'close')
  assert.equal(await connection('POST', '/', MSIE6.replace('Windows', 'SV1; Windows')), 'keep-alive')
  assert.equal(await connection('GET', '/', MSIE6), 'keep-alive')
  assert.equal(await connection('POST', '/none', MSIE6), 'keep-alive')
  assert.equal(await connection('GET', '/', SAFARI), 'keep-alive')
  assert.equal(await connection('GET', '/safari', SAFARI), 'close')
})

test('msie_refresh answers a redirect by a page', async () => {
  await using server = await startViaduct(CONF)
  const answer = await server.raw(`GET /refresh HTTP/1.0\r\nUser-Agent: ${MSIE6}\r\n\r\n`)
  assert.match(answer, /^HTTP\/1.1 200 OK\r\n/)
  assert.doesNotMatch(answer, /Location:/)
  assert.match(answer, /content="0; URL=http:\/\/example\.com\/a%22b"/)
  assert.match(await server.raw('GET /refresh HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 301 /)
})
