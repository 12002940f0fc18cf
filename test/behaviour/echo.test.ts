/** echo and its plain kin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

test('texts, counts, bodies and statuses', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; default_type text/plain;
    location /a { echo hello $arg_n "two words"; echo -n no; echo -n -- end; echo; }
    location /twice { echo_duplicate 3 "$arg_n-"; }
    location /body { echo_read_request_body; echo_request_body; echo_status 201; }
    location /head { echo -n $echo_client_request_headers; }
    location /if { if ($arg_x) { echo yes; } echo no; }
    location /method { echo $echo_request_method $echo_request_uri $request_uri; } } }`)
  const text = async (target: string, init?: RequestInit): Promise<string> =>
    (await fetch(server.url(target), init)).text()
  assert.equal(await text('/a?n=1'), 'hello 1 two words\nno-- end\n')
  assert.equal(await text('/twice?n=ab'), 'ab-ab-ab-')
  const posted = await fetch(server.url('/body'), { method: 'POST', body: 'something' })
  assert.deepEqual(
    [posted.status, await posted.text(), posted.headers.get('content-type')],
    [201, 'something', 'text/plain'],
  )
  assert.equal(await text('/method?a=1', { method: 'PUT', body: 'x' }), 'PUT /method /method?a=1\n')
  assert.deepEqual([await text('/if?x=1'), await text('/if')], ['yes\n', 'no\n'])
  const head = await server.raw('GET /head HTTP/1.1\r\nHost: x\r\nX-A:  b\r\nConnection: close\r\n\r\n')
  assert.match(head, /\r\n\r\nGET \/head HTTP\/1\.1\r\nHost: x\r\nX-A: b\r\nConnection: close\r\n\r\n$/)
})
