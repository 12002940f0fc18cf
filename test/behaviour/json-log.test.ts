/** json_log: every line is an object with members of their types, and what back ends did. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  json_log_format own "who=$arg_who and $uri" status=$status n:number=$arg_n b:boolean=$arg_b text:string=$status none=$http_none
    back:attempts;
  access_log off;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    json_log %%DIR%%/all.log;
    location /own { json_log %%DIR%%/own.log own; return 204; }
    location /off { json_log off; return 204; }
    location /both { json_log %%DIR%%/all.log; json_log %%DIR%%/own.log own if=$arg_log; return 204; }
    location /proxy { json_log %%DIR%%/own.log own; proxy_pass http://two/end; }
    location /end { json_log off; return 503; }
    location /plain { return 200 plain; }
  }
  upstream two { server 127.0.0.1:%%PORT_1%%; server 127.0.0.1:%%PORT_0%%; }
}`

let server: Server
before(async () => {
  server = await startViaduct(CONF, { prepare: (dir) => fs.chmodSync(dir, 0o777) })
})
after(() => server[Symbol.asyncDispose]())

type Line = Record<string, unknown>

async function lineOf(file: string, path: string, headers: Record<string, string> = {}): Promise<Line> {
  const before_ = server.prefix.read(file).length
  await (await fetch(server.url(path), { headers })).arrayBuffer()
  await server.until('a line', () => server.prefix.read(file).length > before_)
  const lines = Buffer.from(server.prefix.read(file).slice(before_), 'latin1').toString('utf8').trimEnd().split('\n')
  assert.equal(lines.length, 1)
  return JSON.parse(lines[0]!) as Line
}

test('what is written when no format is named', async () => {
  const line = await lineOf('all.log', '/plain?a="b', { 'User-Agent': 'me "too"' })
  const { time, request_id, request_time, bytes_sent, request_length, ...rest } = line
  assert.ok(!Number.isNaN(Date.parse(time as string)))
  assert.match(request_id as string, /^[\da-f]{32}$/)
  for (const number of [request_time, bytes_sent, request_length]) assert.equal(typeof number, 'number')
  assert.deepEqual(rest, {
    remote_addr: '127.0.0.1',
    scheme: 'http',
    host: '127.0.0.1',
    method: 'GET',
    uri: '/plain?a=%22b',
    protocol: 'HTTP/1.1',
    status: 200,
    body_bytes_sent: 5,
    user_agent: 'me "too"',
  })
})

test('types', async () => {
  assert.deepEqual(await lineOf('own.log', '/own?who=a&n=-1.5e3&b=1'), {
    who: 'a and /own',
    status: 204,
    n: -1500,
    b: true,
    text: '204',
  })
  for (const odd of ['', 'x', '01', '1.', '.5', 'NaN', 'Infinity', '1,"x":2', '0x1']) {
    const line = await lineOf('own.log', `/own?n=${odd}&b=0`)
    assert.deepEqual([line['n'], line['b']], [undefined, false], odd)
  }
})

test('what is no UTF-8 does not spoil a line', async () => {
  await server.raw('GET /own?who=\xff\xc3\xa4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await server.until('the line', () => server.prefix.read('own.log').includes('\xef\xbf\xbd'))
  for (const line of Buffer.from(server.prefix.read('own.log'), 'latin1').toString('utf8').trimEnd().split('\n'))
    JSON.parse(line)
  assert.ok(Buffer.from(server.prefix.read('own.log'), 'latin1').toString('utf8').includes('\ufffd\u00e4'))
})

test('what back ends did, in order', async () => {
  let back: Line[] = []
  for (let i = 0; i < 2 && back.length < 2; i++) back = (await lineOf('own.log', '/proxy'))['back'] as Line[]
  assert.equal(back.length, 2)
  assert.deepEqual([back[0]!['address'], back[0]!['status']], [`127.0.0.1:${server.port(1)}`, 502])
  assert.deepEqual([back[1]!['address'], back[1]!['status']], [`127.0.0.1:${server.port()}`, 503])
  assert.equal(typeof back[1]!['response_time'], 'number')
  assert.equal(typeof back[1]!['bytes_received'], 'number')
})

test('off, and conditions', async () => {
  const before_ = server.prefix.read('own.log').length
  await fetch(server.url('/off'))
  await lineOf('all.log', '/both')
  assert.equal(server.prefix.read('own.log').length, before_)
  await lineOf('own.log', '/both?log=1')
})

test('mistakes', async () => {
  const message = async (line: string): Promise<string> => {
    await using prefix = await Prefix.create(`events {} http { ${line} }`)
    return (await prefix.run(['-t'])).stderr
  }
  assert.match(await message('json_log_format x status;'), /invalid member "status"/)
  assert.match(await message('json_log_format x a:date=$uri;'), /unknown type "date"/)
  assert.match(await message('json_log_format x a:attempts=$uri;'), /invalid member "a:attempts=\$uri"/)
  assert.match(await message('json_log_format x a=1 a=2;'), /duplicate member "a"/)
  assert.match(await message('server { json_log a.log nothing; }'), /unknown JSON log format "nothing"/)
  assert.match(await message('json_log_format x a=$nothing;'), /unknown "nothing" variable/)
})
