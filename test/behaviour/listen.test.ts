/** The forms of `listen`, `server_name` and `server` of an upstream, and nginx's words for what is none. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { freePorts } from '../harness/ports.ts'
import { Prefix, startViaduct } from '../harness/server.ts'

const RANGE = 3

/** The first of some free ports that follow each other. */
async function freeRange(): Promise<number> {
  for (;;) {
    const [first] = await freePorts(1)
    const servers = await Promise.all(Array.from({ length: RANGE }, (_, i) => bound(first! + i)))
    for (const server of servers) server?.close()
    if (!servers.includes(undefined)) return first!
  }
}

function bound(port: number): Promise<net.Server | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, () => resolve(server))
  })
}

async function get(host: string, port: number): Promise<string> {
  return (await fetch(`http://${host}:${port}/`)).text()
}

test('a range of ports, and a name', async () => {
  const first = await freeRange()
  const last = first + RANGE - 1
  await using server = await startViaduct(`http {
    server { listen 127.0.0.1:${first}-${last}; listen [::1]:${first}-${last}; return 200 "range $server_port"; }
    server { listen 127.0.0.1:${last}; server_name other; return 200 other; }
    server { listen localhost:%%PORT_0%%; return 200 "name $server_addr"; } }`)
  for (let port = first; port <= last; port++) {
    assert.equal(await get('127.0.0.1', port), `range ${port}`)
    assert.equal(await get('[::1]', port), `range ${port}`)
  }
  assert.equal(await get('127.0.0.1', server.port()), 'name 127.0.0.1')
})

/** What `-t` says about `conf`, without the place. */
async function said(conf: string): Promise<string[]> {
  await using prefix = await Prefix.create(`pid nginx.pid; events {} http { access_log off; ${conf} }`)
  const { stderr } = await prefix.run(['-t'])
  const lines = [...stderr.matchAll(/\[(?:emerg|warn)\] (.*?)(?: in \S+:\d+)?$/gm)].map((match) => match[1]!)
  return lines.filter((line) => !line.includes('"user" directive'))
}

test('what is no listen', async () => {
  const lines = ['9-8', '127.0.0.1:9-8', '0-5', '127.0.0.1:1-', '127.0.0.1:9/x', '[]:9', 'no.such.host.invalid:9']
  const wrong = [
    'backlog=0',
    'ipv6only=x',
    'ipv6only=ox',
    'so_keepalive=0',
    'so_keepalive=::0',
    'reuseport=1',
    'setfib=1',
  ]
  const conf = [...lines, ...wrong.map((word) => `9 ${word}`)].map((line) => `listen ${line};`).join(' ')
  assert.deepEqual(await said(`server { ${conf} }`), [
    'invalid port range in "9-8" of the "listen" directive',
    'invalid port range in "127.0.0.1:9-8" of the "listen" directive',
    'invalid port in "0-5" of the "listen" directive',
    'invalid port in "127.0.0.1:1-" of the "listen" directive',
    'invalid host in "127.0.0.1:9/x" of the "listen" directive',
    'no host in "[]:9" of the "listen" directive',
    'host not found in "no.such.host.invalid:9" of the "listen" directive',
    'invalid backlog "backlog=0"',
    'invalid parameter "ipv6only=x"',
    'invalid ipv6only flags "ox"',
    'invalid so_keepalive value: "0"',
    'invalid so_keepalive value: "::0"',
    'invalid parameter "reuseport=1"',
    'invalid parameter "setfib=1"',
  ])
  assert.deepEqual(await said('server { listen 127.0.0.1:9001-9003; listen 127.0.0.1:9002; }'), [
    'a duplicate listen 127.0.0.1:9002',
  ])
  assert.deepEqual(await said('server { listen unix:/no/such/folder/s; }'), [
    'bind() to unix:/no/such/folder/s failed (2: No such file or directory)',
  ])
})

test('names of servers', async () => {
  assert.deepEqual(
    await said('server { listen 9; server_name *; server_name .; server_name *.; server_name *a; server_name ~; }'),
    [
      'server name "*" is invalid',
      'server name "." is invalid',
      'server name "*." is invalid',
      'server name "*a" is invalid',
      'empty regex in server name "~"',
    ],
  )
  const odd = 'listen 127.0.0.1:9001; server_name a a w*.a *.a.* b..c;'
  // With one server nobody looks at names.
  assert.deepEqual(await said(`server { ${odd} }`), [])
  assert.deepEqual(await said(`server { ${odd} } server { listen 127.0.0.1:9001; server_name x $HOSTNAME; }`), [
    'conflicting server name "a" on 127.0.0.1:9001, ignored',
    'invalid server name or wildcard "w*.a" on 127.0.0.1:9001',
    'invalid server name or wildcard "*.a.*" on 127.0.0.1:9001',
    'invalid server name or wildcard "b..c" on 127.0.0.1:9001',
  ])
})

test('servers of an upstream', async () => {
  const lines = ['127.0.0.1:8/', '127.0.0.1?x', '[::1]:8/x', '127.0.0.1:8-9', '127.0.0.1 weight=0', '127.0.0.1 down=1']
  assert.deepEqual(await said(`upstream u { ${lines.map((line) => `server ${line};`).join(' ')} }`), [
    'invalid host in upstream "127.0.0.1:8/"',
    'invalid host in upstream "127.0.0.1?x"',
    'invalid host in upstream "[::1]:8/x"',
    'invalid port in upstream "127.0.0.1:8-9"',
    'invalid parameter "weight=0"',
    'invalid parameter "down=1"',
  ])
})
