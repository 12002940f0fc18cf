/** `listen ... proxy_protocol`: the client's address comes before the first request. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `http {
  server { listen 127.0.0.1:%%PORT_0%% proxy_protocol; client_header_timeout 300ms;
    location / { return 200 "$remote_addr|$proxy_protocol_addr|$proxy_protocol_port|$proxy_protocol_server_addr|$pipe"; }
    location /tlv { return 200 "$proxy_protocol_tlv_authority|$proxy_protocol_tlv_0x02"; }
  }
  server { listen 127.0.0.1:%%PORT_1%% proxy_protocol; set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;
    return 200 "$remote_addr:$remote_port|$realip_remote_addr"; } }`
const HEADER = 'PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\n'
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`

async function body(server: Server, text: string, n = 0): Promise<string> {
  const answer = await server.raw(text, n)
  return answer.slice(answer.indexOf('\r\n\r\n') + 4)
}

test('the address is a variable, and with realip the client', async () => {
  await using server = await startViaduct(CONF)
  assert.equal(await body(server, HEADER + get('/')), '127.0.0.1|192.0.2.1|1234|198.51.100.2|.')
  assert.equal(await body(server, HEADER + get('/'), 1), '192.0.2.1:1234|127.0.0.1')
  assert.equal(await body(server, `PROXY UNKNOWN\r\n${get('/')}`), '127.0.0.1||||.')
})

test('it holds for all requests of a connection', async () => {
  await using server = await startViaduct(CONF)
  const first = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
  assert.equal((await server.raw(HEADER + first + get('/'), 1)).split('192.0.2.1:1234').length - 1, 2)
})

test('version 2 with TLVs', async () => {
  await using server = await startViaduct(CONF)
  const rest = '\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51\x02\0\x03a.b'
  const header = `\r\n\r\n\0\r\nQUIT\n\x21\x11\0${String.fromCharCode(rest.length)}${rest}`
  assert.equal(await body(server, header + get('/')), '127.0.0.1|1.2.3.4|80|5.6.7.8|.')
  assert.equal(await body(server, header + get('/tlv')), 'a.b|a.b')
})

test('without a header nothing is answered', async () => {
  await using server = await startViaduct(CONF)
  assert.equal(await server.raw(get('/')), '')
  await server.logged(/broken header: "GET \/ HTTP\/1\.1" while reading PROXY protocol, client: 127\.0\.0\.1/)
})

test('a header that does not end is waited for as long as a head of a request', async () => {
  await using server = await startViaduct(CONF)
  assert.equal(await server.raw('PROXY TCP4 1'), '')
})
