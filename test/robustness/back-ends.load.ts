/**
 * Back ends that die, freeze, talk nonsense and break off: every request is answered within its time-out, by another
 * back end where that is allowed, else with 502 or 504 or a broken connection, and afterwards nothing is counted as
 * active: `max_conns` allows exactly as much as before.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Client, type Server, startViaduct } from '../harness/server.ts'

const PROGRAM = fileURLToPath(new URL('back-end.ts', import.meta.url))
const AT_ONCE = 50
const CONNS_MAX = 8
/** Time-outs are 500 ms; two attempts and a busy machine. */
const ANSWER_MAX_MS = 3000

interface BackEnd extends AsyncDisposable {
  readonly process: ChildProcess
  readonly port: number
}

async function startBackEnd(port = 0): Promise<BackEnd> {
  const child = fork(PROGRAM, [String(port)])
  const [bound] = (await once(child, 'message')) as [number]
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { process: child, port: bound, [Symbol.asyncDispose]: stop }
}

const conf = (bad: number, good: number) => `
  worker_processes 1;
  events { worker_connections 2048; }
  http {
    access_log off;
    proxy_connect_timeout 500ms; proxy_read_timeout 500ms; proxy_send_timeout 500ms;
    proxy_http_version 1.1; proxy_set_header Connection "";
    upstream alone { server 127.0.0.1:${bad}; keepalive 8; }
    upstream both { server 127.0.0.1:${bad} max_fails=0; server 127.0.0.1:${good} max_fails=0; keepalive 8; }
    upstream counted { server 127.0.0.1:${bad} max_conns=${CONNS_MAX} max_fails=0; server 127.0.0.1:${bad} down; keepalive 8; }
    server {
      listen 127.0.0.1:%%PORT_0%%;
      location /alone/ { proxy_pass http://alone/; }
      location /both/ { proxy_pass http://both/; }
      location /counted/ { proxy_pass http://counted/; }
    }
  }`

interface Answer {
  readonly status: number
  readonly text: string
  readonly ms: number
}

/** Everything that comes back until the server closes. */
async function ask(server: Server, target: string): Promise<Answer> {
  const start = performance.now()
  const client = await server.connect()
  client.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  const text = await client.rest()
  return { status: Number(text.split(' ')[1]), text, ms: performance.now() - start }
}

function askMany(server: Server, target: string): Promise<Answer[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, () => ask(server, target)))
}

function assertAnswered(what: string, answers: readonly Answer[], statuses: readonly number[]): void {
  for (const { status, ms, text } of answers) {
    assert.ok(statuses.includes(status), `${what}: ${JSON.stringify(text.slice(0, 200))}`)
    assert.ok(ms < ANSWER_MAX_MS, `${what}: ${ms} ms`)
  }
}

test('what cannot be answered is refused in time', async (t) => {
  await using bad = await startBackEnd()
  await using server = await startViaduct(conf(bad.port, bad.port))
  const expected: Readonly<Record<string, number>> = {
    garbage: 502,
    close: 502,
    reset: 502,
    'endless-head': 502,
    silent: 504,
    'half-head': 504,
  }
  for (const [path, status] of Object.entries(expected)) {
    await t.test(path, async () => assertAnswered(path, await askMany(server, `/alone/${path}`), [status]))
  }
})

test('a response that breaks off does not look complete', async (t) => {
  await using bad = await startBackEnd()
  await using server = await startViaduct(conf(bad.port, bad.port))
  for (const path of ['reset-in-body', 'close-in-body', 'silent-in-body', 'bad-chunks']) {
    await t.test(path, async () => {
      const answers = await askMany(server, `/alone/${path}`)
      for (const { text, ms } of answers) {
        const [head = '', body = ''] = text.split('\r\n\r\n')
        const promised = Number(/Content-Length: (\d+)/i.exec(head)?.[1] ?? Number.POSITIVE_INFINITY)
        assert.ok(body.length < promised && !body.endsWith('0\r\n'), text.slice(0, 200))
        assert.ok(ms < ANSWER_MAX_MS, `${ms} ms`)
      }
    })
  }
})

test('another back end answers for one that cannot', async (t) => {
  await using bad = await startBackEnd()
  await using good = await startBackEnd()
  await using server = await startViaduct(conf(bad.port, good.port))
  // What both do is no help; so the bad one is frozen and killed instead.
  await t.test('frozen', async () => {
    bad.process.kill('SIGSTOP')
    assertAnswered('frozen', await askMany(server, '/both/good'), [200])
    bad.process.kill('SIGCONT')
  })
  await t.test('killed under load', async () => {
    const answers = askMany(server, '/both/good')
    bad.process.kill('SIGKILL')
    assertAnswered('killed', await answers, [200])
  })
  await t.test('gone', async () => assertAnswered('gone', await askMany(server, '/both/good'), [200]))
})

test('one that comes back is used again', async () => {
  await using first = await startBackEnd()
  await using server = await startViaduct(conf(first.port, first.port))
  assertAnswered('before', await askMany(server, '/alone/good'), [200])
  assertAnswered('dying', await askMany(server, '/alone/die'), [502])
  assertAnswered('dead', await askMany(server, '/alone/good'), [502])
  await using _second = await startBackEnd(first.port)
  assertAnswered('back', await askMany(server, '/alone/good'), [200])
})

test('after trouble of every kind nothing is counted as active', async () => {
  await using bad = await startBackEnd()
  await using server = await startViaduct(conf(bad.port, bad.port))
  const paths = ['garbage', 'close', 'reset', 'silent', 'half-head', 'endless-head', 'reset-in-body', 'close-in-body']
  for (const path of [...paths, 'silent-in-body', 'bad-chunks', 'good']) await askMany(server, `/counted/${path}`)
  await clientsThatLeave(server)
  const held = await Promise.all(Array.from({ length: CONNS_MAX }, () => hold(server)))
  await server.until(
    'the held requests are with the back end',
    async () => (await ask(server, '/counted/good')).status === 502,
  )
  for (const client of held) client.close()
  await server.until('they are let go', async () => (await ask(server, '/counted/good')).status === 200)
  assert.equal(
    (await Promise.all(Array.from({ length: CONNS_MAX }, () => ask(server, '/counted/good')))).filter(
      ({ status }) => status === 200,
    ).length,
    CONNS_MAX,
  )
})

/** Clients that give up while the back end thinks; the server has heard of it. */
async function clientsThatLeave(server: Server): Promise<void> {
  const clients = await Promise.all(Array.from({ length: CONNS_MAX }, () => hold(server)))
  for (const client of clients) client.close()
  await server.until('all have left', () => server.errorLog().match(/finalize request: 499/g)?.length === CONNS_MAX)
}

async function hold(server: Server): Promise<Client> {
  const client = await server.connect()
  client.write('GET /counted/silent HTTP/1.1\r\nHost: x\r\n\r\n')
  return client
}
