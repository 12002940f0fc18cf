/** memcached_pass against a small memcached of the test's own, which cuts and spoils its answers as a test wants. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

/** Answers `get key` with what `answer` returns, and counts connections. */
class Memcached implements AsyncDisposable {
  readonly keys: string[] = []
  connections = 0
  readonly #server: net.Server

  private constructor(answer: (key: string, socket: net.Socket) => void) {
    this.#server = net.createServer((socket) => {
      this.connections++
      socket.on('error', () => {})
      socket.on('data', (bytes) => {
        const key = bytes.toString('latin1').replace(/^get (.*)\r\n$/, '$1')
        this.keys.push(key)
        answer(key, socket)
      })
    })
  }

  static async start(answer: (key: string, socket: net.Socket) => void): Promise<Memcached> {
    const memcached = new Memcached(answer)
    await once(memcached.#server.listen(0, '127.0.0.1'), 'listening')
    return memcached
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
  }
}

const conf = (port: number, more = '') => `http {
  upstream memcached { server 127.0.0.1:${port}; }
  server { listen 127.0.0.1:%%PORT_0%%; default_type text/x-value;
    location / { set $memcached_key $uri; memcached_pass memcached; ${more} }
    location @fallback { return 200 fallback; } } }`

async function get(server: Server, path: string, headers: Record<string, string> = {}): Promise<[number, string]> {
  const response = await fetch(server.url(path), { headers: { ...headers, connection: 'close' } })
  return [response.status, await response.text()]
}

test('a value is found however its answer is cut', async () => {
  const whole = 'VALUE /k 0 10\r\n0123456789\r\nEND\r\n'
  let cut = 1
  await using memcached = await Memcached.start((_, socket) => {
    socket.setNoDelay(true)
    const rest = whole.slice(cut)
    socket.write(whole.slice(0, cut))
    setImmediate(() => setImmediate(() => socket.write(rest)))
  })
  await using server = await startViaduct(conf(memcached.port))
  // Without `Connection: close`: a client that leaves with the value in hand, before the trailer, costs the connection.
  for (; cut < whole.length; cut++) {
    const response = await fetch(server.url('/k'))
    assert.equal(await response.text(), '0123456789', `cut at ${cut}`)
  }
  assert.equal(memcached.connections, 1, 'the connection is kept')
})

test('keys are escaped so that none can be two commands', async () => {
  await using memcached = await Memcached.start((_, socket) => socket.write('END\r\n'))
  await using server = await startViaduct(conf(memcached.port))
  assert.equal((await get(server, '/a%20b%0d%0aflush_all%25'))[0], 404)
  assert.deepEqual(memcached.keys, ['/a%20b%0D%0Aflush_all%25'])
})

test('a key that is not there goes to error_page', async () => {
  await using memcached = await Memcached.start((_, socket) => socket.write('END\r\n'))
  await using server = await startViaduct(conf(memcached.port, 'error_page 404 = @fallback;'))
  assert.deepEqual(await get(server, '/k'), [200, 'fallback'])
})

test('memcached_gzip_flag marks values as compressed; the type is that of the URI', async () => {
  await using memcached = await Memcached.start((key, socket) => {
    socket.write(`VALUE ${key} ${key === '/zip.html' ? 6 : 4} 2\r\nab\r\nEND\r\n`)
  })
  await using server = await startViaduct(conf(memcached.port, 'memcached_gzip_flag 2; types { text/html html; }'))
  const zip = await server.raw('GET /zip.html HTTP/1.0\r\n\r\n')
  assert.match(zip, /\r\nContent-Encoding: gzip\r\n/)
  assert.match(zip, /\r\nContent-Type: text\/html\r\n/)
  assert.match(zip, /\r\nContent-Length: 2\r\n/)
  const plain = await server.raw('GET /plain HTTP/1.0\r\n\r\n')
  assert.doesNotMatch(plain, /Content-Encoding/)
  assert.match(plain, /\r\nContent-Type: text\/x-value\r\n/)
})

const INVALID: readonly (readonly [string, string, string])[] = [
  ['ERROR\r\n', 'memcached sent invalid response: "ERROR"', 'no value'],
  ['VALUE /other 0 1\r\n', 'memcached sent invalid key in response "VALUE /other 0 1" for key "/k"', 'another key'],
  ['VALUE /k 0 x1\r\n', 'memcached sent invalid length in response "VALUE /k 0 x1" for key "/k"', 'a bad length'],
  ['VALUE /k x 1\r\n', 'memcached sent invalid flags in response "VALUE /k x 1" for key "/k"', 'bad flags'],
  ['VALUE /k 0 1\n', 'memcached sent invalid response: "VALUE /k 0 1"', 'a bare line feed'],
]

for (const [answer, message, what] of INVALID) {
  test(`${what}: 502 and a line in the log`, async () => {
    await using memcached = await Memcached.start((_, socket) => socket.write(answer))
    await using server = await startViaduct(conf(memcached.port, 'memcached_gzip_flag 1;'))
    assert.equal((await get(server, '/k'))[0], 502)
    assert.ok(server.errorLog().includes(message), server.errorLog())
  })
}

test('a wrong trailer costs the connection, not the value', async () => {
  await using memcached = await Memcached.start((key, socket) => socket.write(`VALUE ${key} 0 2\r\nab\r\nEMD\r\n`))
  await using server = await startViaduct(conf(memcached.port))
  assert.deepEqual(await get(server, '/k'), [200, 'ab'])
  assert.deepEqual(await get(server, '/k'), [200, 'ab'])
  assert.equal(memcached.connections, 2)
  assert.ok(server.errorLog().includes('memcached sent invalid trailer'))
})

test('ranges of a value; other methods are refused', async () => {
  await using memcached = await Memcached.start((key, socket) => socket.write(`VALUE ${key} 0 4\r\nabcd\r\nEND\r\n`))
  await using server = await startViaduct(conf(memcached.port))
  assert.deepEqual(await get(server, '/k', { range: 'bytes=1-2' }), [206, 'bc'])
  assert.equal((await fetch(server.url('/k'), { method: 'POST', body: 'x' })).status, 405)
})
