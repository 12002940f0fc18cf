/** What newer versions let each attempt decide for itself: whether the server may be asked, from where, and with what. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

test('a server is asked only when every condition allows it', async () => {
  await using first = await Peer.start(() => reply('first'))
  await using second = await Peer.start(() => reply('second'))
  const [a, b] = [first.port, second.port]
  await using server = await startViaduct(`http {
    log_format tried '$status $upstream_addr $upstream_status';
    access_log %%DIR%%/access.log tried;
    map $upstream_last_addr $known { volatile; default 0; 127.0.0.1:${b} 1; }
    upstream both { server 127.0.0.1:${a} max_fails=0; server 127.0.0.1:${b} max_fails=0; }
    upstream one { server 127.0.0.1:${a} max_fails=0; server 127.0.0.1:${a} max_fails=0; }
    server {
      listen 127.0.0.1:%%PORT_0%%;
      proxy_allow_upstream $known $arg_ok;
      proxy_next_upstream error denied;
      location / { proxy_pass http://both; }
      location /one { proxy_pass http://one; }
      location /off { proxy_pass http://one; proxy_next_upstream error timeout; }
      location /page { proxy_pass http://one; error_page 502 = @page; }
      location @page { return 200 page; }
    } }`)
  const ask = async (target: string): Promise<string> => {
    const response = await fetch(server.url(target))
    const text = await response.text()
    return response.status === 200 ? text : String(response.status)
  }
  for (let i = 0; i < 4; i++) assert.equal(await ask('/?ok=yes'), 'second')
  assert.equal(await ask('/one?ok=yes'), '502')
  assert.equal(await ask('/off?ok=yes'), '502')
  assert.equal(await ask('/?ok=0'), '502')
  assert.equal(await ask('/'), '502')
  assert.equal(await ask('/page?ok=yes'), 'page')
  assert.equal(first.requests.length, 0)
  await server.logged(new RegExp(`access to upstream server 127.0.0.1:${a} is denied while connecting to upstream`))
  await server.until('all are logged', () => server.accessLog().split('\n').length > 9)
  const log = server.accessLog().split('\n')
  assert.ok(log.includes(`200 127.0.0.1:${a}, 127.0.0.1:${b} 502, 200`))
  assert.equal(log[4], `502 127.0.0.1:${a}, 127.0.0.1:${a} 502, 502`)
  assert.equal(log[5], `502 127.0.0.1:${a} 502`)
})

test('a request is made anew for each server, and bound anew, where that is asked for', async () => {
  /** Where connections came from, in order. */
  const hosts: (string | undefined)[] = []
  await using bad = await Peer.start(({ socket }) => {
    hosts.push(socket.remoteAddress)
    return reply('', [], '500 No')
  })
  await using good = await Peer.start(({ socket }) => {
    hosts.push(socket.remoteAddress)
    return reply('good')
  })
  const group = (name: string): string =>
    `upstream ${name} { server localhost:${bad.port} max_fails=0; server 127.0.0.1:${good.port} backup; }`
  await using server = await startViaduct(`http {
    ${group('dynamic')} ${group('fixed')}
    proxy_next_upstream http_500;
    proxy_set_header X-Server $upstream_last_server_name;
    proxy_set_header X-Address $upstream_last_addr;
    map $upstream_last_server_name $from { volatile; default 127.0.0.3; localhost:${bad.port} 127.0.0.2; }
    server {
      listen 127.0.0.1:%%PORT_0%%;
      location /dynamic { proxy_pass http://dynamic; proxy_request_dynamic on; proxy_bind $from; proxy_bind_dynamic on; }
      location /fixed { proxy_pass http://fixed; proxy_bind $from; }
    } }`)
  assert.equal(await (await fetch(server.url('/dynamic'))).text(), 'good')
  assert.equal(bad.requests[0]!.field('X-Address'), `127.0.0.1:${bad.port}`)
  assert.equal(good.requests[0]!.field('X-Address'), `127.0.0.1:${good.port}`)
  assert.notEqual(bad.requests[0]!.field('X-Server'), good.requests[0]!.field('X-Server'))
  assert.deepEqual(hosts, ['127.0.0.2', '127.0.0.3'])

  assert.equal(await (await fetch(server.url('/fixed'))).text(), 'good')
  assert.equal(good.requests[1]!.field('X-Address'), undefined)
  assert.equal(hosts.length, 4)
  assert.equal(hosts[3], hosts[2])
})
