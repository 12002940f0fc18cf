/** What variables say where there is nothing to say: `-` in a log, and in subrequests, error pages and texts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

async function ask(server: Server, head: string, body = '', n = 0): Promise<string> {
  return server.raw(`${head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${body}`, n)
}

test('$content_length', async (t) => {
  const seen = new Map<string, string | undefined>()
  await using peer = await Peer.start((request) => {
    seen.set(request.line.split(' ')[1]!, request.field('x-length'))
    return 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
  })
  const pass = `proxy_pass http://127.0.0.1:${peer.port}; proxy_set_header X-Length "[$content_length]"; proxy_http_version 1.1;`
  await using server = await startViaduct(`http { log_format l '$uri [$content_length]'; access_log access.log l;
    log_subrequest on;
    server { listen 127.0.0.1:%%PORT_0%%; client_body_temp_path %%DIR%%/temp;
      location / { ${pass} }
      location /streamed { ${pass} proxy_request_buffering off; }
      location /asked { auth_request /question; ${pass} }
      location /question { ${pass} proxy_pass_request_body off; }
      location /mirrored { mirror /copy; ${pass} }
      location /copy { ${pass} }
      location /text { return 200 "[$content_length]"; } } }`)
  const chunked = 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
  const counted = 'Content-Length: 3\r\n\r\nabc'
  await t.test('of a chunked body: what was read', async () => {
    // What came with its head is not streamed.
    for (const path of ['/read', '/streamed/whole']) {
      await ask(server, `POST ${path}`, chunked)
      assert.equal(seen.get(path), '[3]')
      await server.until('the log line', () => server.accessLog().includes(`${path} [3]\n`))
    }
    using late = await server.connect()
    const [head, body] = chunked.split('\r\n\r\n3')
    late.write(`POST /streamed/late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${head}\r\n\r\n`)
    await peer.until(() => peer.received.some((text) => text.includes('/streamed/late') && text.endsWith('\r\n\r\n')))
    late.write(`3${body}\r\n\r\n`)
    await late.rest()
    assert.equal(seen.get('/streamed/late'), '[]')
    // By then all of it was read.
    await server.until('the log line', () => server.accessLog().includes('/streamed/late [3]\n'))
  })
  await t.test('in subrequests: what the client said', async () => {
    await ask(server, 'POST /asked', counted)
    assert.equal(seen.get('/question'), '[3]')
    await ask(server, 'POST /mirrored', counted)
    await peer.until(() => seen.has('/copy'))
    assert.equal(seen.get('/copy'), '[3]')
    seen.delete('/copy')
    await ask(server, 'POST /mirrored', chunked)
    await peer.until(() => seen.has('/copy'))
    assert.equal(seen.get('/copy'), '[3]')
  })
  await t.test('as it was written, or nothing', async () => {
    assert.match(await ask(server, 'POST /text', 'Content-Length: 000\r\n\r\n'), /\r\n\r\n\[000\]$/)
    assert.match(await ask(server, 'GET /text', '\r\n'), /\r\n\r\n\[\]$/)
    await ask(server, 'GET /none', '\r\n')
    assert.equal(seen.get('/none'), '[]')
    await server.until('the log line', () => server.accessLog().includes('/none [-]\n'))
  })
})

test('$status in the text of a response', async () => {
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; error_page 410 = /page;
    error_page 404 /page; recursive_error_pages on;
    location /text { return 201 "$status"; }
    location /error { error_page 500 off; return 500 "$status"; }
    location /to { return 302 /$status; }
    location /gone { return 410; }
    location /missing { return 404; }
    location /page { return 200 "$status"; } } }`)
  for (const [path, wanted] of [
    ['/text', /\r\n\r\n201$/],
    ['/error', /\r\n\r\n500$/],
    ['/to', /\nLocation: http:\/\/a(?::\d+)?\/302\r\n/],
    ['/gone', /^HTTP\/1\.1 200 .*\r\n\r\n200$/s],
    ['/missing', /^HTTP\/1\.1 404 .*\r\n\r\n404$/s],
  ] as const) {
    assert.match(await ask(server, `GET ${path}`, '\r\n'), wanted)
  }
})

test('what is absent is a dash in a log', async (t) => {
  await using server = await startViaduct(`http {
    log_format l '$uri $request_uri $args $query_string $server_protocol $request_method';
    log_format p '$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port';
    log_format t '$proxy_protocol_tlv_0x00e0 $proxy_protocol_tlv_0xE0 $proxy_protocol_tlv_0x0000e1';
    access_log access.log l; access_log proxy.log p; access_log tlv.log t;
    server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 "$limit_rate"; }
      location /rate { limit_rate 100k; add_trailer X-Rate $limit_rate; return 200 ok; } }
    server { listen 127.0.0.1:%%PORT_1%% proxy_protocol; } } `)
  const logged = async (name: string, bytes: string, n = 0): Promise<string> => {
    const before = server.prefix.read(name).length
    await server.raw(bytes, n)
    await server.until('the log line', () => server.prefix.read(name).length > before)
    return server.prefix.read(name).slice(before).trimEnd()
  }
  const get = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  await t.test('arguments', async () => {
    assert.equal(await logged('access.log', get), '/x /x - - HTTP/1.1 GET')
    assert.equal(await logged('access.log', get.replace('/x', '/x?')), '/x /x? - - HTTP/1.1 GET')
    assert.equal(await logged('access.log', get.replace('/x', '/x?a')), '/x /x?a a a HTTP/1.1 GET')
  })
  await t.test('what a request line did not say', async () => {
    assert.equal(await logged('access.log', 'GARBAGE\r\n\r\n'), '- - - - - -')
    assert.equal(await logged('access.log', 'GET /x\r\n'), '/x /x - - - GET')
  })
  await t.test('the PROXY header', async () => {
    assert.equal(await logged('proxy.log', get), '- - - -')
    assert.equal(await logged('proxy.log', `PROXY UNKNOWN\r\n${get}`, 1), '- - - -')
    assert.equal(await logged('proxy.log', `PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n${get}`, 1), '1.1.1.1 1 2.2.2.2 2')
  })
  await t.test('numbers of TLVs have leading zeros', async () => {
    const addresses = '\x01\x01\x01\x01\x02\x02\x02\x02\x00\x01\x00\x02'
    const header = `\r\n\r\n\0\r\nQUIT\n\x21\x11\x00${String.fromCharCode(addresses.length + 8)}${addresses}`
    assert.equal(await logged('tlv.log', `${header}\xe0\x00\x05hello${get}`, 1), 'hello hello -')
  })
  await t.test('$limit_rate', async () => {
    assert.match(await server.raw(get), /\r\n\r\n0$/)
    assert.match(await server.raw(get.replace('/x', '/rate')), /\r\nX-Rate: 102400\r\n/)
  })
})

test('$uri of a target that is none is empty, without a line there is none', async () => {
  await using server = await startViaduct(`http { log_format l '[$uri][$request_uri] $request'; access_log access.log l;
    server { listen 127.0.0.1:%%PORT_0%%; return 200 ok; } }`)
  for (const line of ['GET /../x HTTP/1.1', 'GET /%zz HTTP/1.1', 'GET /x HTP', 'GET /x?y HTTP/1.1']) {
    await server.raw(`${line}\r\nHost: a\r\nConnection: close\r\n\r\n`)
  }
  await server.until('the log', () => server.accessLog().split('\n').length === 5)
  assert.equal(
    server.accessLog(),
    '[][-] GET /../x HTTP/1.1\n[][-] GET /%zz HTTP/1.1\n[-][-] GET /x HTP\n[/x][/x?y] GET /x?y HTTP/1.1\n',
  )
})

test('what is made of itself is empty, told once, and harms nobody', async (t) => {
  await using server = await startViaduct(`http {
    map $uri $one { default "<$two$two>"; } map $uri $two { default "($one$one)"; }
    map $uri $three { volatile; default "$four$four"; } map $uri $four { volatile; default "$three$three"; }
    map $uri $folder { default $document_root; /file %%DIR%%; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { root $folder; }
      location /map { return 200 "[$one]"; }
      location /volatile { return 200 "[$three]"; }
      location /link { secure_link $secure_link; secure_link_md5 "$secure_link$uri"; return 200 "[$secure_link]"; } } }`)
  for (const [path, variable, status, body] of [
    ['/map', 'one', 200, /^\[[<>()]+\]$/],
    ['/volatile', 'three', 200, /^\[\]$/],
    ['/link', 'secure_link', 200, /^\[\]$/],
    ['/else', 'document_root', 404, /404/],
  ] as const) {
    await t.test(path, async () => {
      const before = server.errorLog().length
      const response = await fetch(server.url(path))
      assert.equal(response.status, status)
      assert.match(await response.text(), body)
      const lines = server.errorLog().slice(before).split('\n')
      assert.equal(lines.filter((line) => line.includes(`cycle while evaluating variable "${variable}"`)).length, 1)
    })
  }
  assert.equal((await fetch(server.url('/file'))).status, 404)
})
