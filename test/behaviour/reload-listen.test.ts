/** A reload changes what is set on sockets that stay open, how many connections a worker takes, and the pid file. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import type { Client, Server } from '../harness/server.ts'
import { Client as Connection, startViaduct } from '../harness/server.ts'

/** In /proc/net/tcp: the states of connections, and the timer that keepalive probes wait for. */
const ESTABLISHED = '01'
const SYN_SENT = '02'
const PROBES = '02'

interface Row {
  readonly local: number
  readonly remote: number
  readonly state: string
  readonly timer: string
}

function rows(): Row[] {
  const port = (end: string): number => Number.parseInt(end.split(':')[1]!, 16)
  const lines = fs.readFileSync('/proc/net/tcp', 'latin1').trim().split('\n').slice(1)
  return lines.map((line) => {
    const [, local, remote, state, , timer] = line.trim().split(/\s+/)
    return { local: port(local!), remote: port(remote!), state: state!, timer: timer!.slice(0, 2) }
  })
}

function engineOf({ pid }: Server): number {
  return Number(fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0])
}

async function kept(server: Server): Promise<Client> {
  const client = await server.connect()
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until(/ok$/)
  return client
}

for (const engine of ['io_uring', 'epoll']) {
  const conf = (options: string, connections = 20): string =>
    `worker_processes 1;
    events { use ${engine}; worker_connections ${connections}; }
    http { server { listen 127.0.0.1:%%PORT_0%% ${options}; return 200 ok; } }`

  test(`${engine}: the backlog of an open socket, and back to the default`, async () => {
    await using server = await startViaduct(conf('backlog=100'))
    const waiting = async (clients: number): Promise<number> => {
      const engine = engineOf(server)
      process.kill(engine, 'SIGSTOP')
      const sockets = Array.from({ length: clients }, () => Connection.connect(server.port()))
      const count = (state: string): number =>
        rows().filter((row) => row.remote === server.port() && row.state === state).length
      await server.until('all ask', () => count(ESTABLISHED) + count(SYN_SENT) === clients)
      const refused = count(SYN_SENT)
      process.kill(engine, 'SIGCONT')
      for (const client of await Promise.all(sockets)) client.close()
      await server.until('all are gone', () => count(ESTABLISHED) === 0)
      return refused
    }
    assert.equal(await waiting(8), 0)
    await server.reload(conf('backlog=2'))
    assert.ok((await waiting(8)) > 0)
    await server.reload(conf(''))
    assert.equal(await waiting(8), 0)
  })

  test(`${engine}: so_keepalive, on and off again`, async () => {
    await using server = await startViaduct(conf(''))
    const timer = ({ socket: { localPort } }: Client): string | undefined =>
      rows().find((row) => row.local === server.port() && row.remote === localPort)?.timer
    const asked: string[] = []
    for (const options of ['so_keepalive=on', 'so_keepalive=off', 'so_keepalive=30m::10', '']) {
      await server.reload(conf(options))
      using client = await kept(server)
      // Until the answer is acknowledged another timer runs.
      await server.until('nothing is under way', () => ['00', PROBES].includes(timer(client) ?? ''))
      asked.push(`${options} ${timer(client) === PROBES}`)
    }
    assert.deepEqual(asked, ['so_keepalive=on true', 'so_keepalive=off false', 'so_keepalive=30m::10 true', ' false'])
  })

  test(`${engine}: worker_connections, more and fewer`, async () => {
    await using server = await startViaduct(conf('', 4))
    await server.reload(conf('', 40))
    const clients: Client[] = []
    for (let i = 0; i < 10; i++) clients.push(await kept(server))
    assert.ok(clients.every((client) => !client.closed))
    assert.doesNotMatch(server.errorLog(), /worker_connections/)
    await server.reload(conf('', 4))
    using late = await kept(server)
    await server.logged(/4 worker_connections are not enough, reusing connections/)
    assert.ok(!late.closed)
    for (const client of clients) client.close()
  })
}

test('what a worker has to say goes to the new error log', async () => {
  const conf = (log: string): string =>
    `${log}
    worker_processes 1;
    events { worker_connections 4; }
    http { server { listen 127.0.0.1:%%PORT_0%%; return 200 ok; } }`
  await using server = await startViaduct(conf(''))
  server.prefix.write('nginx.conf', `daemon off; pid nginx.pid; ${conf('\nerror_log second.log notice;')}`)
  server.signal('SIGHUP')
  await server.until('the second log', () => /exited with code 0/.test(server.prefix.read('second.log')))
  const clients: Client[] = []
  for (let i = 0; i < 6; i++) clients.push(await kept(server))
  await server.until('what the worker says', () => /worker_connections/.test(server.prefix.read('second.log')))
  assert.doesNotMatch(server.errorLog().split('reconfiguring').at(-1)!, /worker_connections/)
  for (const client of clients) client.close()
})

for (const mode of ['on', 'off']) {
  test(`master_process ${mode}: the pid file moves, and a place where it cannot be refuses the reload`, async () => {
    const conf = (pid: string, text: string): string =>
      `master_process ${mode};\npid ${pid};\nevents {}\nhttp { server { listen 127.0.0.1:%%PORT_0%%; return 200 ${text}; } }`
    await using server = await startViaduct(conf('%%DIR%%/nginx.pid', 'one'))
    const { pid, prefix } = server
    const reload = (name: string, text: string): void => {
      prefix.write('nginx.conf', `daemon off; error_log error.log notice; ${conf(name, text)}`)
      process.kill(pid, 'SIGHUP')
    }
    reload('%%DIR%%/none/nginx.pid', 'two')
    await server.logged(/\[emerg\] .*open\(\) ".*none\/nginx.pid" failed \(2: No such file or directory\)/)
    assert.equal(await (await fetch(server.url('/'))).text(), 'one')
    reload('%%DIR%%/second.pid', 'three')
    await server.until('the file has moved', () => prefix.read('nginx.pid') === '')
    assert.equal(prefix.read('second.pid'), `${pid}\n`)
    reload('%%DIR%%/nginx.pid', 'four')
    await server.until('and back', () => prefix.read('nginx.pid') === `${pid}\n` && prefix.read('second.pid') === '')
  })
}
