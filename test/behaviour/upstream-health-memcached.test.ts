/** health_check where requests go to memcached: servers are asked for the key that `uri` names. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

/** A memcached that answers with what `answer` says. */
async function start(answer: (key: string) => string): Promise<AsyncDisposable & { port: number }> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => socket.write(answer(/^get (.*)\r\n$/.exec(bytes.toString('latin1'))?.[1] ?? '')))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}

test('a memcached that has not the key gets no requests until it has', async () => {
  const asked = new Set<string>()
  let answer = 'VALUE health 0 4\r\nfine\r\nEND\r\n'
  await using memcached = await start((key) => {
    asked.add(key)
    return key === '/page' ? 'VALUE /page 0 2\r\nok\r\nEND\r\n' : answer.replace('health', key)
  })
  await using server = await startViaduct(`http {
    upstream u { zone u 64k; server 127.0.0.1:${memcached.port}; }
    match fine { status 200; body ~ "^fine$"; }
    server { listen 127.0.0.1:%%PORT_0%%;
      location / { set $memcached_key $uri; memcached_pass u; health_check interval=20ms "uri=/a key" match=fine mandatory; }
    }
  }`)
  const status = async (): Promise<number> => (await fetch(server.url('/page'))).status
  await server.until('the server is in', async () => (await status()) === 200)
  for (const bad of ['END\r\n', 'VALUE health 0 3\r\nill\r\nEND\r\n', 'ERROR\r\n']) {
    const fine = answer
    answer = bad
    await server.until(`the server is out by ${JSON.stringify(bad)}`, async () => (await status()) === 502)
    answer = fine
    await server.until('the server is back', async () => (await status()) === 200)
  }
  assert.deepEqual([...asked].toSorted(), ['/a%20key', '/page'])
})
