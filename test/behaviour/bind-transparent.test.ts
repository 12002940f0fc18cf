/**
 * `proxy_bind ... transparent`: back ends see an address that is not this machine's, and workers that have given up root keep
 * the right to that, and no other. In a network of its own, where what goes to 192.0.2.0/24 arrives although nobody has it.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { whyNoRing } from '../../src/net/engine.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { unlessGone } from '../robustness/process-facts.ts'

const NETWORK = `ip link set lo up && ip rule add to 192.0.2.0/24 lookup 100 pref 10 &&
  ip route add local 192.0.2.0/24 dev lo table 100 &&
  ip -6 rule add to 2001:db8::/32 lookup 100 pref 10 && ip -6 route add local 2001:db8::/32 dev lo table 100`
const CAP_NET_RAW = '0000000000002000'

if (process.env['OWN_NETWORK'] === undefined) {
  const skip = whyNot()
  test('in a network of its own', skip === '' ? {} : { skip }, () => {
    const file = fileURLToPath(import.meta.url)
    const words = ['-n', 'sh', '-c', `${NETWORK} && exec "$0" "$@"`, process.execPath, '--test', file]
    // Whoever finds this variable is a part of the outer run.
    const env: NodeJS.ProcessEnv = { ...process.env, OWN_NETWORK: '1' }
    delete env['NODE_TEST_CONTEXT']
    const { status, stdout, stderr } = spawnSync('unshare', words, { env, encoding: 'utf8' })
    assert.equal(status, 0, stdout + stderr)
  })
} else for (const engine of ['io_uring', 'epoll'] as const) test(engine, () => run(engine))

function whyNot(): string {
  if (process.getuid?.() !== 0) return 'only root may have a network of its own'
  if (whyNoRing() !== '') return whyNoRing()
  const { status, stderr } = spawnSync('unshare', ['-n', 'sh', '-c', NETWORK], { encoding: 'utf8' })
  return status === 0 ? '' : `no network of its own: ${stderr}`
}

async function run(engine: string): Promise<void> {
  const back = net.createServer((socket) => {
    socket.on('error', () => {})
    const { remoteAddress, remotePort } = socket
    socket.once('data', (bytes) => {
      const text = `${remoteAddress} ${remotePort}`
      if (bytes.toString().startsWith('get ')) socket.end(`VALUE x 0 ${text.length}\r\n${text}\r\nEND\r\n`)
      else socket.end(`HTTP/1.0 200 OK\r\n\r\n${text}`)
    })
  })
  await once(back.listen({ port: 0, host: '::', ipv6Only: false }), 'listening')
  back.unref()
  const { port } = back.address() as net.AddressInfo
  const to = `127.0.0.1:${port}`
  const conf = (word: string): string =>
    `events { use ${engine}; } http { server { listen 127.0.0.1:%%PORT_0%%;
      location /given { proxy_pass http://${to}; proxy_bind 192.0.2.7:4321 ${word}; }
      location /own { proxy_pass http://${to}; proxy_bind $arg_from ${word}; }
      location /six { proxy_pass http://[::1]:${port}; proxy_bind [2001:db8::1]:4321 ${word}; }
      location /plain { proxy_pass http://${to}; proxy_bind 192.0.2.7; }
      location /memcached { set $memcached_key x; memcached_pass ${to}; memcached_bind 192.0.2.8 ${word}; } } }`
  await using server = await startViaduct(conf('transparent'), { alerts: true })
  assert.equal(await textOf(server, '/given'), '::ffff:192.0.2.7 4321')
  assert.equal(await textOf(server, '/six'), '2001:db8::1 4321')
  assert.match(await textOf(server, '/own?from=192.0.2.99'), /^::ffff:192\.0\.2\.99 \d+$/)
  assert.match(await textOf(server, '/memcached'), /^::ffff:192\.0\.2\.8 \d+$/)
  // Without the word such an address cannot be had.
  assert.equal((await fetch(server.url('/plain'))).status, 500)
  await server.logged(/\[crit\] .*bind\(192\.0\.2\.7\) failed \(99: /)
  const rights = rightsOf(server)
  assert.ok(rights.some(({ name, effective }) => name.startsWith('worker') && effective === CAP_NET_RAW))
  for (const { permitted } of rights) assert.ok([CAP_NET_RAW, '0'.repeat(16)].includes(permitted), permitted)

  // What is not asked for any more, no worker has.
  await server.reload(conf(''))
  await server.until('given up', () => rightsOf(server).every(({ permitted }) => permitted === '0'.repeat(16)))
  assert.equal((await fetch(server.url('/given'))).status, 500)

  // Who stays root keeps all that root may do.
  const own = /^CapEff:\s+(.*)$/m.exec(fs.readFileSync('/proc/self/status', 'latin1'))![1]!
  await server.reload(`${conf('transparent')} user root;`)
  await server.until('root again', () => rightsOf(server).every(({ effective }) => effective === own))
  assert.equal(await textOf(server, '/given'), '::ffff:192.0.2.7 4321')
}

async function textOf(server: Server, target: string): Promise<string> {
  const response = await fetch(server.url(target))
  const text = await response.text()
  assert.equal(response.status, 200, text)
  return text
}

/** What the threads of processes below the master may do. */
function rightsOf(server: Server): { name: string; effective: string; permitted: string }[] {
  const children = fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1').trim().split(' ')
  return children.flatMap((pid) =>
    unlessGone(() => fs.readdirSync(`/proc/${pid}/task`), []).flatMap((tid) => {
      const status = unlessGone(() => fs.readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1'), '')
      if (status === '') return []
      const field = (name: string): string => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)![1]!
      return [{ name: field('Name'), effective: field('CapEff'), permitted: field('CapPrm') }]
    }),
  )
}
