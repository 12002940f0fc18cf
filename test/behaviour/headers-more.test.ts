/** more_set_headers and its kin: any field, any status, requests too, outer blocks first. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { Prefix, startViaduct, withDefaults } from '../harness/server.ts'

const inServer = (text: string): string => `http { server { listen 127.0.0.1:%%PORT_0%%; ${text} } }`
const headOf = async (response: Promise<Response>): Promise<Headers> => (await response).headers

test('fields are set whatever the status, in place of those that are there', async () => {
  await using peer = await Peer.start(() =>
    reply('x', ['Server: app', 'X-Two: a', 'X-Two: b', 'X-Keep: k', 'X-Hidden-A: 1', 'X-Hidden-B: 2']),
  )
  await using server = await startViaduct(
    inServer(`more_set_headers 'Server: mine' 'X-Outer: $uri'; location /none { return 404; }
      location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_pass_header Server;
        more_set_headers 'X-Two: c' "Content-Type: text/x; charset=utf-8"; more_clear_headers 'X-Hidden-*' X-Absent; }
      location /add { proxy_pass http://127.0.0.1:${peer.port}; more_set_headers -a 'X-Two: c'; more_clear_headers Server Date; }`),
  )
  const missing = await headOf(fetch(server.url('/none')))
  assert.deepEqual([missing.get('server'), missing.get('x-outer')], ['mine', '/none'])
  const passed = await headOf(fetch(server.url('/a')))
  assert.deepEqual(
    ['server', 'x-outer', 'x-two', 'x-keep', 'x-hidden-a', 'x-hidden-b', 'content-type'].map((name) =>
      passed.get(name),
    ),
    ['mine', '/a', 'c', 'k', null, null, 'text/x; charset=utf-8'],
  )
  const added = await headOf(fetch(server.url('/add')))
  assert.deepEqual([added.get('x-two'), added.get('server'), added.get('date')], ['a, b, c', null, null])
})

test('-s and -t choose responses', async () => {
  await using server = await startViaduct(
    inServer(`default_type text/html;
      more_set_headers -s '404 500' -s 503 'X-Status: bad'; more_set_headers -t 'text/plain text/html' 'X-Type: text';
      location /ok { default_type text/plain; return 200 a; } location /json { default_type application/json; return 200 1; }
      location /503 { return 503; }`),
  )
  const seen = async (target: string): Promise<(string | null)[]> => {
    const headers = await headOf(fetch(server.url(target)))
    return [headers.get('x-status'), headers.get('x-type')]
  }
  assert.deepEqual(await seen('/ok'), [null, 'text'])
  assert.deepEqual(await seen('/json'), [null, null])
  assert.deepEqual(await seen('/503'), ['bad', 'text'])
})

test('fields of requests reach back ends, variables and access rules', async () => {
  await using peer = await Peer.start(() => reply('x'))
  await using server = await startViaduct(
    inServer(`location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_set_header Host $host; add_header X-Seen "$http_x_new $http_user_agent";
        more_set_input_headers 'X-New: $arg_a' 'Host: Other.test:81' 'X-Twice: one'; more_set_input_headers -r 'X-Absent: no' 'Cookie: a=b';
        more_clear_input_headers User-Agent 'X-Secret-*' 'Content-*'; }`),
  )
  const answer = await server.raw(
    'POST /?a=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: me\r\nX-Twice: a\r\nX-Twice: b\r\nCookie: c=d\r\nX-Secret-A: 1\r\n' +
      'Content-Type: text/x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi',
  )
  assert.match(answer, /\r\nX-Seen: 1 \r\n/)
  const [received] = peer.received
  assert.match(received!, /\r\nHost: other\.test\r\n/)
  assert.match(received!, /\r\nX-New: 1\r\n/)
  assert.match(received!, /\r\nX-Twice: one\r\n/)
  assert.match(received!, /\r\nCookie: a=b\r\n/)
  assert.match(received!, /\r\nContent-Length: 2\r\n/)
  assert.doesNotMatch(received!, /X-Absent|User-Agent|X-Secret|Content-Type|X-Twice: [ab]/)
  assert.match(received!, /\r\n\r\nhi$/)
})

test('no value can split a field', async () => {
  await using server = await startViaduct(inServer(`location / { more_set_headers "X-Uri: $uri"; return 200 ok; }`))
  const answer = await server.raw('GET /a%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  assert.doesNotMatch(answer, /^X-Evil/m)
})

test('mistakes are found at load', async () => {
  const problem = async (text: string): Promise<string> => {
    await using prefix = await Prefix.create(withDefaults(inServer(text)))
    return (await prefix.run(['-t'])).stderr
  }
  assert.match(await problem('more_set_headers -x a;'), /invalid option name: "-x"/)
  assert.match(
    await problem("more_set_headers -s 'abc' 'a: b';"),
    /invalid digit "abc" found in the status code list "abc"/,
  )
  assert.match(
    await problem("more_set_input_headers 'Content-Length: 3';"),
    /"Content-Length" belongs to the connection/,
  )
  assert.match(await problem("more_set_headers 'Transfer-Encoding: chunked';"), /"Transfer-Encoding" belongs/)
  assert.match(await problem('more_set_headers -s 404;'), /no fields are given/)
  assert.match(await problem("more_set_headers 'a b: c';"), /invalid header name "a b"/)
})
