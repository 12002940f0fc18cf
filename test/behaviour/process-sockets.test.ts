/** The master's sockets: one per worker or one for all, kept, dropped, and taken over by number. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { type Listen, SocketBook, tryBind } from '../../src/process/socket-book.ts'
import { freePorts } from '../harness/ports.ts'
import { startViaduct } from '../harness/server.ts'

const ignore = (): void => {}

function listen(kind: 'tcp' | 'udp', port: number, reuseport = false): Listen {
  return { key: `${kind} ${port}`, kind, host: '127.0.0.1', port, path: '', ipv6only: false, reuseport }
}

function fdsOf(book: SocketBook): number[] {
  return [...book.entries()].map((entry) => entry.fd)
}

test('a TCP address has a socket per worker, also after the number changes', async () => {
  const [port] = await freePorts(1)
  const book = new SocketBook()
  const listens = [listen('tcp', port!)]
  assert.equal(await book.open(listens, 2, ignore), true)
  const before = fdsOf(book)
  assert.equal(new Set(before).size, 2)
  assert.equal(book.get(listens[0]!.key, 1)?.fd, before[1])
  assert.equal(await book.open(listens, 3, ignore), true)
  assert.deepEqual(fdsOf(book).slice(0, 2), before)
  book.settle(listens, 1, ignore, true)
  assert.deepEqual(fdsOf(book), before.slice(0, 1))
  book.closeAll(ignore, true)
  assert.deepEqual(fdsOf(book), [])
})

test('a UDP address has one socket for all workers unless it says reuseport', async () => {
  const [one, many] = await freePorts(2)
  const book = new SocketBook()
  const listens = [listen('udp', one!), listen('udp', many!, true)]
  assert.equal(await book.open(listens, 3, ignore), true)
  assert.equal(fdsOf(book).length, 4)
  assert.equal(book.get(listens[0]!.key, 2)?.fd, book.get(listens[0]!.key, 0)?.fd)
  assert.notEqual(book.get(listens[1]!.key, 2)?.fd, book.get(listens[1]!.key, 0)?.fd)
  book.closeAll(ignore, true)
})

test('an address that cannot be had is reported, and what was opened for it is closed', async () => {
  const [port] = await freePorts(1)
  const book = new SocketBook()
  const wrong: Listen = { ...listen('tcp', port!), key: '192.0.2.1:1', host: '192.0.2.1' }
  const lines: string[] = []
  assert.equal(
    await book.open([listen('tcp', port!), wrong], 1, (level, text) => lines.push(`${level} ${text}`)),
    false,
  )
  assert.deepEqual(lines, ['emerg bind() to 192.0.2.1:1 failed (99: Cannot assign requested address)'])
  assert.deepEqual(fdsOf(book), [])
  assert.equal(tryBind(listen('tcp', port!)), 0)
})

test('inherited descriptors are known under their addresses', async () => {
  const [tcp, udp] = await freePorts(2)
  const book = new SocketBook()
  const listens = [listen('tcp', tcp!), listen('udp', udp!)]
  await book.open(listens, 1, ignore)
  const heir = new SocketBook()
  for (const { key, kind, fd } of book.entries()) assert.equal(heir.adopt(key, kind, fd, 'viaduct'), undefined)
  assert.equal(await heir.open(listens, 1, ignore), true)
  assert.deepEqual(fdsOf(heir), fdsOf(book))
  assert.match(
    heir.adopt('nothing', 'tcp', 987654, 'viaduct') ?? '',
    /getsockname\(\) of the inherited socket #987654 failed/,
  )
  book.closeAll(ignore, true)
})

test('a socket file is where it belongs, goes when it is dropped, and stays for another master', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-test-'))
  const file = path.join(dir, 'socket')
  const unix: Listen = { ...listen('tcp', 0), key: `unix:${file}`, kind: 'unix', path: file }
  for (const stays of [false, true]) {
    const book = new SocketBook()
    assert.equal(await book.open([unix], 4, ignore), true)
    assert.deepEqual(fs.readdirSync(dir), ['socket'])
    assert.equal(fdsOf(book).length, 1)
    book.settle([], 4, ignore, !stays)
    assert.equal(fs.existsSync(file), stays)
  }
  fs.rmSync(dir, { recursive: true })
})

test('workers that share a socket take turns', async () => {
  await using server = await startViaduct(
    'worker_processes 3; http { server { listen unix:%%DIR%%/http.sock; return 200; } }',
    // Workers may write to it.
    { prepare: (dir) => fs.chmodSync(dir, 0o777) },
  )
  const threads = new Set<string>()
  await server.until('each has its turn', async () => {
    const agent = new http.Agent({ keepAlive: false })
    await once(http.get({ socketPath: `${server.dir}/http.sock`, path: '/', agent }), 'response')
    for (const [, tid] of server.errorLog().matchAll(/ \d+#(\d+): .*http request line/g)) threads.add(tid!)
    return threads.size === 3
  })
})

/** Preloaded into every thread: one of the workers is busy as long as there is a folder. */
const BUSY = `
import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
const at = (name) => new URL(name, import.meta.url)
const take = () => { try { fs.renameSync(at('busy'), at('is-busy')); return true } catch { return false } }
if (!isMainThread) setInterval(() => { if (take()) while (fs.existsSync(at('is-busy'))); }, 5).unref()
`

test('nobody waits for a worker that is busy where others share its socket', async () => {
  await using server = await startViaduct(
    'worker_processes 2; http { server { listen unix:%%DIR%%/http.sock; return 200; } }',
    {
      files: { 'busy.mjs': BUSY },
      env: { NODE_OPTIONS: '--import=./busy.mjs' },
      cwd: true,
      prepare: (dir) => fs.chmodSync(dir, 0o777),
    },
  )
  fs.mkdirSync(`${server.dir}/busy`)
  await server.until('one is busy', () => fs.existsSync(`${server.dir}/is-busy`))
  for (let i = 0; i < 10; i++) {
    const agent = new http.Agent({ keepAlive: false })
    const signal = AbortSignal.timeout(10_000)
    await once(http.get({ socketPath: `${server.dir}/http.sock`, path: '/', agent, signal }), 'response')
  }
  fs.rmdirSync(`${server.dir}/is-busy`)
})
