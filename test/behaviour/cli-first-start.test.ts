/** A newcomer's folder: one configuration file in it, and the same words start, reload and stop the server. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { isAlive, Prefix, runViaduct } from '../harness/server.ts'
import { until } from '../harness/wait.ts'

const CONF = 'daemon on; events { } http { server { listen 127.0.0.1:%%PORT_0%%; return 200 ok; } }'

for (const [name, words] of [
  ['-c', (dir: string) => ['-c', `${dir}/nginx.conf`]],
  ['-p and -c', (dir: string) => ['-p', dir, '-c', 'nginx.conf']],
] as const) {
  test(`a folder without logs, ${name}`, async () => {
    await using prefix = await Prefix.create(CONF)
    const own = words(prefix.dir)
    assert.deepEqual(await runViaduct(own), { code: 0, signal: null, stdout: '', stderr: '' })
    const pid = Number(prefix.read('logs/nginx.pid'))
    assert.ok(isAlive(pid))
    const served = async (): Promise<string> => (await fetch(`http://127.0.0.1:${prefix.port()}/`)).text()
    assert.equal(await served(), 'ok')
    prefix.write('nginx.conf', CONF.replace('return 200 ok', 'return 200 anew'))
    assert.equal((await runViaduct([...own, '-s', 'reload'])).code, 0)
    await until('the reload', async () => (await served()) === 'anew')

    const again = await runViaduct(own)
    const port = prefix.port()
    assert.equal(again.code, 1)
    assert.equal(
      again.stderr,
      `viaduct: [emerg] bind() to 127.0.0.1:${port} failed (98: Address already in use)\n` +
        `viaduct: [emerg] a server is already running with process id ${pid} (${prefix.dir}/logs/nginx.pid): ` +
        '"-s reload" makes it take over the configuration, "-s quit" ends it\n',
    )
    assert.equal(prefix.read('logs/nginx.pid'), `${pid}\n`)

    assert.deepEqual(await runViaduct([...own, '-s', 'quit']), { code: 0, signal: null, stdout: '', stderr: '' })
    await until('the server is gone', () => !isAlive(pid))
    assert.equal(fs.existsSync(`${prefix.dir}/logs/nginx.pid`), false)
  })
}
