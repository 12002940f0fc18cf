/** Under nginx's name the program is nginx to init scripts: `start-stop-daemon --name nginx` looks at /proc/PID/comm. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isAlive, Prefix, withDefaults } from '../harness/server.ts'
import { until } from '../harness/wait.ts'

const VIADUCT = fileURLToPath(new URL('../../bin/viaduct', import.meta.url))
const CONF = withDefaults('http { server { listen 127.0.0.1:%%PORT_0%%; } }')

/** What the system calls the process, and the title that ps shows. */
const namesOf = (pid: number): string[] => [
  fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim(),
  fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
]

for (const name of ['viaduct', 'nginx']) {
  test(`started as ${name}, also after an upgrade`, async () => {
    await using prefix = await Prefix.create(CONF)
    fs.symlinkSync(VIADUCT, prefix.path(name))
    const child = spawn(prefix.path(name), prefix.ownArgs(), { stdio: 'ignore' })
    const ended = once(child, 'exit')
    const pidIn = (file: string): number => Number(prefix.read(file))
    // Whatever fails, nobody is left.
    await using _left = {
      async [Symbol.asyncDispose]() {
        for (const pid of [child.pid!, pidIn('nginx.pid')]) if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGKILL')
      },
    }
    await until('it serves', () => pidIn('nginx.pid') > 0)
    assert.equal(pidIn('nginx.pid'), child.pid)
    assert.deepEqual(namesOf(child.pid!), [name, `${name}: master process ${prefix.ownArgs().join(' ')}`])

    process.kill(child.pid!, 'SIGUSR2')
    await until('the new binary serves', () => pidIn('nginx.pid.oldbin') === child.pid && pidIn('nginx.pid') > 0)
    const upgraded = pidIn('nginx.pid')
    assert.equal(namesOf(upgraded)[0], name)
    process.kill(child.pid!, 'SIGQUIT')
    await ended
    process.kill(upgraded, 'SIGQUIT')
    await until('it is gone', () => !isAlive(upgraded))
  })
}
