/**
 * More connections than there are workbenches for: those that wait give theirs to others, and nothing of a request is seen on
 * another connection.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONNECTIONS = 320
const ROUNDS = 3

const CONF = `events { worker_connections 2048; }
worker_processes 1;
http { access_log off; map $http_x_word $word { default $http_x_word; "" none; }
  upstream later { server 127.0.0.1:%%PORT_1%%; keepalive 8; }
  keepalive_requests 10;
  server { listen 127.0.0.1:%%PORT_0%% backlog=1024; server_name one; set $mine "one-$arg_n";
    location / { add_header X-Mine $mine; return 200 "[$request_uri $word $connection_requests $remote_port]"; }
    location /later { add_header X-Mine $mine; proxy_pass http://later; proxy_set_header X-Word $word; } }
  server { listen 127.0.0.1:%%PORT_0%%; server_name two; keepalive_timeout 0;
    location / { return 200 "[two $request_uri]"; } }
  server { listen 127.0.0.1:%%PORT_1%%; location / { return 200 "[$request_uri $http_x_word]"; } } }`

const ask = (host: string, path: string, word: string) =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${word === '' ? '' : `X-Word: ${word}\r\n`}\r\n`

test('each connection hears of its own requests only', async () => {
  await using server = await startViaduct(CONF)
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => server.connect()))
  for (let round = 1; round <= ROUNDS; round++) {
    // Requests in parts, and some that are answered when others have had their turn.
    for (const [i, client] of clients.entries()) client.write(ask('one', paths(i, round), words(i)).slice(0, 9))
    for (const [i, client] of clients.entries()) client.write(ask('one', paths(i, round), words(i)).slice(9))
    for (const [i, client] of clients.entries()) {
      const answer = await client.until(/\]$/)
      client.received = ''
      assert.match(answer, new RegExp(`\r\nX-Mine: one-${i}-${round}\r\n`))
      const word = words(i) || 'none'
      const body = /\[(.*)\]/.exec(answer)![1]!
      if (i % 3 === 0) assert.equal(body, `${paths(i, round)} ${word}`)
      else assert.equal(body.slice(0, body.lastIndexOf(' ')), `${paths(i, round)} ${word} ${round}`)
    }
  }
  // Each ends with a request for another server, which closes; some leave without a word, or in the middle of one.
  for (const [i, client] of clients.entries()) {
    if (i % 4 === 0) client.close()
    else client.write(ask('two', `/${i}`, '').slice(0, i % 4 === 1 ? 20 : undefined))
  }
  for (const [i, client] of clients.entries()) {
    if (i % 4 > 1) assert.match(await client.rest(), new RegExp(`\\[two /${i}\\]$`))
    else client.close()
  }
  assert.match(
    await server.raw(ask('one', '/end?n=9', 'w').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')),
    /one-9/,
  )
})

function paths(i: number, round: number): string {
  return `${i % 3 === 0 ? '/later' : ''}/${i}?n=${i}-${round}`
}

function words(i: number): string {
  return i % 2 === 0 ? `w${i}` : ''
}
