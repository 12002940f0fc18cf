/** slow_start: a server that has recovered gets its share little by little. The time of the worker is the test's. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

/** Preloaded into every thread: time runs ahead by as many milliseconds as a file says. */
const TIME = `
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
const real = performance.now.bind(performance)
const ahead = new URL('ahead', import.meta.url)
let offset = 0
performance.now = () => real() + offset
if (!isMainThread) setInterval(() => {
  try { offset += Number(fs.readFileSync(ahead, 'utf8')); fs.unlinkSync(ahead) } catch {}
}, 5).unref()
`

/** Lets time pass for the server. */
async function pass(server: Server, ms: number): Promise<void> {
  fs.writeFileSync(`${server.dir}/later`, String(ms))
  fs.renameSync(`${server.dir}/later`, `${server.dir}/ahead`)
  await server.until('time has passed', () => !fs.existsSync(`${server.dir}/ahead`))
}

/** How many of some requests the second server gets. */
async function share(server: Server, count: number): Promise<number> {
  let second = 0
  for (let i = 0; i < count; i++) if ((await (await fetch(server.url('/'))).text()) === 'second') second++
  return second
}

test('a server that recovers warms up during slow_start', async () => {
  let sick = true
  await using first = await Peer.start(() => reply('first'))
  await using second = await Peer.start((request) => {
    if (sick) request.socket.destroy()
    return sick ? undefined : reply('second')
  })
  const conf = `worker_processes 1; http {
    upstream u {
      zone u 64k;
      server 127.0.0.1:${first.port};
      server 127.0.0.1:${second.port} max_fails=1 fail_timeout=1s slow_start=60s;
    }
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://u; } } }`
  const env = { NODE_OPTIONS: '--import=./time.mjs' }
  await using server = await startViaduct(conf, { files: { 'time.mjs': TIME }, env, cwd: true })
  fs.chmodSync(server.dir, 0o777)
  assert.equal(await share(server, 4), 0)
  assert.ok(second.requests.length > 0)
  await server.logged(/upstream server temporarily disabled/)

  sick = false
  await pass(server, 3000)
  assert.equal(await share(server, 6), 1, 'one request finds out that it is well')
  assert.ok((await share(server, 100)) <= 10, 'cold')
  await pass(server, 30_000)
  const half = await share(server, 400)
  assert.ok(half > 50 && half < 190, `half warm: ${half} of 400`)
  await pass(server, 30_000)
  const whole = await share(server, 100)
  assert.ok(whole >= 49 && whole <= 51, `warm: ${whole} of 100`)
})
