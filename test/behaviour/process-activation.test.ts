/** Sockets that a service manager or an older nginx passes, and what a manager is told. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Prefix, startViaduct } from '../harness/server.ts'
import { until } from '../harness/wait.ts'

const VIADUCT = fileURLToPath(new URL('../../bin/viaduct', import.meta.url))

interface Bound {
  readonly fd: number
  close(): void
}
type Bind = (host: string, port: number | null, family: number) => Bound | number

/** Bound sockets on which nobody here accepts; Node does not show what it makes them with. */
function bound(file?: string): { sockets: Bound[]; fds: number[]; port: number } {
  const bind = (net as unknown as { _createServerHandle: Bind })._createServerHandle
  const tcp = bind('127.0.0.1', 0, 4) as Bound & { getsockname(into: { port?: number }): number }
  const sockets: Bound[] = [tcp]
  if (file !== undefined) sockets.push(bind(file, -1, -1) as Bound)
  const name: { port?: number } = {}
  tcp.getsockname(name)
  return { sockets, fds: sockets.map(({ fd }) => fd), port: name.port! }
}

/** Starts the program with these descriptors from 3 on, and `environment` as a shell has it. */
function start(prefix: Prefix, fds: readonly number[], environment: string): ChildProcess {
  // As from nginx, which has no mask.
  const words = [VIADUCT, ...prefix.ownArgs(), '-g', 'daemon off;'].map((word) => `'${word}'`).join(' ')
  return spawn('sh', ['-c', `umask 0; ${environment} exec ${words}`], {
    stdio: ['ignore', 'ignore', 'inherit', ...fds],
  })
}

async function ask(where: net.NetConnectOpts): Promise<string> {
  const socket = net.connect(where)
  socket.end('GET / HTTP/1.0\r\n\r\n')
  let text = ''
  for await (const part of socket) text += part
  return text
}

for (const [who, environment] of [
  ['a service manager', 'LISTEN_PID=$$ LISTEN_FDS=2'],
  ['nginx', 'NGINX="3;4;"'],
] as const) {
  test(`sockets from ${who} are used`, async () => {
    await using prefix = await Prefix.create('')
    const file = prefix.path('http.sock')
    const { sockets, fds, port } = bound(file)
    fs.chmodSync(file, 0o666)
    const listens = `listen 127.0.0.1:${port}; listen unix:${file};`
    prefix.write(
      'nginx.conf',
      `worker_processes 2; pid nginx.pid; error_log error.log notice; events {} http { server { ${listens} return 200 ours; } }`,
    )
    const child = start(prefix, fds, environment)
    try {
      await until('it serves', () => prefix.read('nginx.pid').endsWith('\n'))
      for (let i = 0; i < 8; i++) assert.match(await ask({ host: '127.0.0.1', port }), /ours$/)
      assert.match(await ask({ path: file }), /ours$/)
      for (const name of ['nginx.pid', 'error.log']) {
        assert.equal(fs.statSync(prefix.path(name)).mode & 0o777, 0o644, name)
      }
      assert.match(prefix.read('error.log'), /using inherited sockets from "3;4;"/)
      child.kill('SIGQUIT')
      const [code] = await once(child, 'exit')
      assert.equal(code, 0)
      // It belongs to who opened it, and lives.
      assert.ok(fs.existsSync(file))
    } finally {
      child.kill('SIGKILL')
      for (const socket of sockets) socket.close()
    }
  })
}

test('sockets for another process are none of ours', async () => {
  await using prefix = await Prefix.create('pid nginx.pid; events {} http { server { listen 127.0.0.1:%%PORT_0%%; } }')
  const { sockets, fds } = bound()
  const child = start(prefix, fds, 'LISTEN_PID=1 LISTEN_FDS=1')
  try {
    await until('it serves', () => prefix.read('nginx.pid').endsWith('\n'))
    assert.doesNotMatch(prefix.read('error.log'), /inherited/)
  } finally {
    child.kill('SIGKILL')
    for (const socket of sockets) socket.close()
  }
})

test('a descriptor that is no socket is told', async () => {
  await using prefix = await Prefix.create('pid nginx.pid; events {} http { server { listen 127.0.0.1:%%PORT_0%%; } }')
  const fd = fs.openSync(prefix.path('nginx.conf'), 'r')
  const child = start(prefix, [fd], 'LISTEN_PID=$$ LISTEN_FDS=1')
  try {
    await until('it serves', () => prefix.read('nginx.pid').endsWith('\n'))
    assert.match(prefix.read('error.log'), /inherited socket #3 failed \(88: Socket operation on non-socket\)/)
  } finally {
    child.kill('SIGKILL')
    fs.closeSync(fd)
  }
})

test('a service manager is told when the server is ready, reloads and stops', async () => {
  await using tools = await Prefix.create('')
  // Stands for the manager's tool, which needs a socket that Node does not have.
  const tool = tools.path('systemd-notify')
  fs.writeFileSync(tool, `#!/bin/sh\necho "$@" >> ${tools.path('told')}\n`, { mode: 0o755 })
  const env = { NOTIFY_SOCKET: '/run/none', PATH: `${path.dirname(tool)}:${process.env['PATH']}` }
  await using server = await startViaduct('http { server { listen 127.0.0.1:%%PORT_0%%; } }', { env })
  const told = () => tools.read('told').replaceAll(`--pid=${server.pid} `, '')
  const READY = '--ready --status=serving\n'
  await until('it is ready', () => told() === READY)
  await server.reload()
  const reload = 'RELOADING=1 --status=reloading\n' + READY
  await until('it is ready again', () => told() === READY + reload)
  const good = server.prefix.read('nginx.conf')
  server.prefix.write('nginx.conf', 'nonsense;')
  process.kill(server.pid, 'SIGHUP')
  await until('it goes on', () => told() === READY + reload + reload)
  server.prefix.write('nginx.conf', good)
  const { pid } = server
  await server.stop()
  await until('it stops', () => tools.read('told').endsWith(`--pid=${pid} STOPPING=1 --status=stopping\n`))
})
