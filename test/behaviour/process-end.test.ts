/**
 * Every process ends by itself when it has nothing left to do. Node's `process.exit` may wait for ever for a thread that
 * compiles and waits in turn for the thread that ends.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { isAlive, Prefix, runViaduct, startViaduct } from '../harness/server.ts'

/** Notes who asks for an end; threads are ended by their owner, which is not that. */
const WATCH = `
if (require('node:worker_threads').isMainThread) {
  const exit = process.reallyExit
  process.reallyExit = (code) => {
    require('node:fs').appendFileSync(process.env.ENDS, process.argv.join(' ') + '\\n')
    exit.call(process, code)
  }
}
`
const SERVER =
  'http { server { listen 127.0.0.1:%%PORT_0%%; location /proxied { proxy_pass http://127.0.0.1:%%PORT_0%%/; } } }'

/** An environment in which it is noted, in the file \`ends\`. */
function watched(dir: string): Record<string, string> {
  fs.chmodSync(dir, 0o777)
  fs.writeFileSync(`${dir}/watch.cjs`, WATCH)
  fs.writeFileSync(`${dir}/ends`, '')
  fs.chmodSync(`${dir}/ends`, 0o666)
  return { NODE_OPTIONS: `--require ${dir}/watch.cjs`, ENDS: `${dir}/ends` }
}

for (const [name, conf] of [
  ['two workers', `worker_processes 2; ${SERVER}`],
  ['in the background', `daemon on; ${SERVER}`],
  ['without a master', `master_process off; ${SERVER}`],
  ['over epoll', `events { use epoll; } ${SERVER}`],
] as const) {
  for (const signal of ['SIGQUIT', 'SIGTERM'] as const) {
    test(`a server (${name}) that is sent ${signal}`, async () => {
      const env: Record<string, string> = {}
      await using server = await startViaduct(conf, { env, prepare: (dir) => Object.assign(env, watched(dir)) })
      await (await fetch(server.url('/proxied'))).text()
      if (!conf.startsWith('master_process')) await server.reload()
      await (await fetch(server.url('/'))).text()
      await server.stop(signal)
      assert.equal(server.prefix.read('ends'), '')
    })
  }
}

test('a master whose place a new one has taken', async () => {
  const env: Record<string, string> = {}
  await using server = await startViaduct(SERVER, { env, prepare: (dir) => Object.assign(env, watched(dir)) })
  const old = server.pid
  process.kill(old, 'SIGUSR2')
  await server.until('a new master', () => Number(server.prefix.read('nginx.pid.oldbin')) === old && server.pid !== old)
  process.kill(old, 'SIGQUIT')
  await server.until('the old master is gone', () => !isAlive(old))
  await server.until('the new one serves', () => Number(server.prefix.read('nginx.pid')) > 0)
  await server.stop()
  assert.equal(server.prefix.read('ends'), '')
})

for (const [words, expected] of [
  ['-v', 0],
  ['-p DIR -t', 0],
  ['-p DIR -T', 0],
  ['-p DIR -t -g nonsense;', 1],
  ['-p DIR -s stop', 1],
  ['lint DIR/nginx.conf', 1],
  ['explain -c DIR/nginx.conf http://127.0.0.1:%%PORT_0%%/', 1],
  ['--help', 0],
  ['--nonsense', 1],
] as const) {
  test(`viaduct ${words}`, async () => {
    await using prefix = await Prefix.create(`pid nginx.pid; events { } ${SERVER}`, { 'logs/error.log': '' })
    const args = prefix.expand(words).replaceAll('DIR', prefix.dir).split(' ')
    if (args[0] === '-p') args.push('-c', 'nginx.conf')
    const { code, stderr } = await runViaduct(args, watched(prefix.dir))
    assert.equal(code, expected, stderr)
    assert.equal(prefix.read('ends'), '')
  })
}
