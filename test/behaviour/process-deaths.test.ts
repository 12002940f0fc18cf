/** What survives what: a worker thread that throws or runs out of memory, an engine that is killed, a dead master. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { isAlive, type Server, startViaduct } from '../harness/server.ts'

const CONF = 'worker_processes 2; http { server { listen 127.0.0.1:%%PORT_0%%; } }'

/** Preloaded into every thread of the server: does something deadly in one worker when a file appears. */
const BOMB = `
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
const take = (name) => { try { fs.rmdirSync(new URL(name, import.meta.url)); return true } catch { return false } }
if (!isMainThread) setInterval(() => {
  if (take('throw')) throw new Error('a bug')
  if (take('fill')) for (let list; ; ) list = { list, some: [1, 2, 3] }
}, 5).unref()
`

async function startWithBomb(): Promise<Server> {
  // The path is relative because the folder is not known yet.
  const env = { NODE_OPTIONS: '--import=./bomb.mjs --max-old-space-size=64' }
  const server = await startViaduct(CONF, { files: { 'bomb.mjs': BOMB }, alerts: true, env, cwd: true })
  fs.chmodSync(server.dir, 0o777)
  return server
}

for (const [what, file] of [
  ['throws', 'throw'],
  ['runs out of memory', 'fill'],
] as const) {
  test(`a worker that ${what} is replaced, and the others go on`, async () => {
    await using server = await startWithBomb()
    const engine = enginePid(server)
    fs.mkdirSync(`${server.dir}/${file}`)
    await server.logged(/\[alert\] .*worker process \d+ exited with code \d+\n/)
    await server.until('a third worker', () => server.errorLog().match(/start worker process \d+/g)?.length === 3)
    for (let i = 0; i < 8; i++) assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
    assert.equal(enginePid(server), engine)
    assert.equal((await server.stop()).code, 0)
  })
}

test('a killed engine is replaced, and connection attempts meanwhile wait', async () => {
  await using server = await startViaduct(CONF, { alerts: true })
  const engine = enginePid(server)
  process.kill(engine, 'SIGKILL')
  await server.until('the engine is gone', () => !isAlive(engine))
  assert.match(await server.raw('GET / HTTP/1.0\n\n'), /^HTTP\/1.1 /)
  await server.logged(new RegExp(`\\[alert\\] .*worker process ${engine} exited on signal 9\n`))
  assert.notEqual(enginePid(server), engine)
  await server.reload()
  assert.equal((await server.stop()).code, 0)
})

test('when the master is killed the engine ends and the address is free', async () => {
  await using server = await startViaduct(CONF)
  const engine = enginePid(server)
  process.kill(server.pid, 'SIGKILL')
  await server.ended
  await server.until('the engine is gone', () => !isAlive(engine))
  await assert.rejects(server.connect())
})

/** Returns the only child of the master. */
function enginePid(server: Server): number {
  const children = fs.readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1')
  return Number(children.trim().split(' ')[0])
}
