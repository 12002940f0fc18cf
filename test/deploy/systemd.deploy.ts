/** The unit files: systemd takes them, finds them hard enough, and hears when the server is ready. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'
import { until } from '../harness/wait.ts'
import { missing, ROOT, run } from './machine.ts'

const EXPOSURE_MAX = 4

test('systemd takes the units', { skip: missing('systemd-analyze') ?? false }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-units-'))
  try {
    for (const name of ['viaduct.service', 'viaduct.socket']) {
      const text = fs.readFileSync(path.join(ROOT, 'deploy/systemd', name), 'utf8')
      // The program has to be there.
      fs.writeFileSync(path.join(folder, name), text.replaceAll('/usr/sbin/viaduct', path.join(ROOT, 'bin/viaduct')))
    }
    const unit = path.join(folder, 'viaduct.service')
    run('systemd-analyze', ['verify', unit, path.join(folder, 'viaduct.socket')])
    const security = run('systemd-analyze', ['security', '--offline=true', unit])
    const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(security)?.[1])
    assert.ok(exposure < EXPOSURE_MAX, `exposure is ${exposure}`)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})

const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(s.recv(4096).decode(), flush=True)
`

test("the manager's socket hears of the main process", {
  skip: missing('systemd-notify', 'python3') ?? false,
}, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-notify-'))
  const socket = path.join(folder, 'notify')
  const manager = spawn('python3', ['-c', LISTENER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  let heard = ''
  manager.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text
  })
  try {
    await until('the manager listens', () => heard.includes('bound'))
    await using server = await startViaduct('http { server { listen 127.0.0.1:%%PORT_0%%; } }', {
      env: { NOTIFY_SOCKET: socket },
    })
    // A message comes whole, but its end may come to us in a piece of its own.
    const ready = () => heard.includes('READY=1') && heard.endsWith('\n')
    await until('it is ready', ready)
    assert.match(heard, new RegExp(`MAINPID=${server.pid}\\n`))
    heard = ''
    await server.reload()
    await until('it is ready again', ready)
    assert.match(heard, /RELOADING=1/)
  } finally {
    manager.kill()
    await once(manager, 'exit')
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
