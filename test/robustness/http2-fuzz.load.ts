/**
 * Broken HTTP/2 connections for a while, by way of all kinds of locations: `FUZZ_SECONDS` (20 unless told otherwise).
 * Nothing may crash, memory must not grow, and a connection that was open all the time is served to its end.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Dice } from '../harness/dice.ts'
import { H2Client } from '../harness/h2-client.ts'
import { fuzzConnection } from '../harness/h2-fuzz.ts'
import { startViaduct } from '../harness/server.ts'
import { descriptors, residentBytes } from './process-facts.ts'

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 20)
const AT_ONCE = 20
const MEMORY_MAX = 150_000_000

const CONF = `
  worker_processes 1;
  error_log %%DIR%%/error.log error;
  http {
    access_log off;
    client_body_temp_path %%DIR%%;
    proxy_temp_path %%DIR%%;
    lingering_timeout 50ms;
    keepalive_requests 10000000;
    server {
      listen 127.0.0.1:%%PORT_0%% http2;
      root %%DIR%%;
      http2_body_preread_size 100;
      location = / { return 200 hello; }
      location /read { proxy_pass http://127.0.0.1:%%PORT_1%%; }
      location /stream { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_1%%; }
      location /paced { limit_rate 200k; limit_rate_after 1; try_files /big.txt =404; }
      location /auth { auth_request /read; try_files /big.txt =404; }
      location /page { error_page 404 /big.txt; return 404; }
    }
    server { listen 127.0.0.1:%%PORT_1%%; return 200 read; }
  }`

test('broken connections, for a while', { timeout: (SECONDS + 60) * 1000 }, async () => {
  await using server = await startViaduct(CONF, { files: { 'big.txt': 'x'.repeat(200_000) } })
  const port = server.prefix.port()
  const paths = ['/', '/big.txt', '/read', '/stream', '/paced', '/auth', '/page', '/none']
  await using client = await H2Client.connect(port)
  const pid = server.child.pid!
  let seed = Number(process.env['FUZZ_SEED'] ?? Date.now() >>> 0)
  const round = () => Promise.all(Array.from({ length: AT_ONCE }, () => fuzzConnection(port, new Dice(seed++), paths)))
  for (let n = 0; n < 20; n++) await round()
  const before = { memory: residentBytes(pid), descriptors: descriptors(pid) }
  const end = Date.now() + SECONDS * 1000
  let connections = 0
  for (let stream = 1; Date.now() < end; stream += 2) {
    await round()
    connections += AT_ONCE
    client.request(stream, { path: '/read', method: 'POST', body: 'x' })
    assert.equal((await client.response(stream)).status, 200)
    client.frames.length = 0
  }
  await server.until('all connections are gone', () => descriptors(pid) <= before.descriptors + 5)
  const grown = residentBytes(pid) - before.memory
  assert.ok(grown < MEMORY_MAX, `${grown} bytes more after ${connections} connections, seed ${seed}`)
})
