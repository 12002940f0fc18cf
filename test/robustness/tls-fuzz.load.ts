/**
 * TLS records cut and changed anywhere, broken and merely unusual HTTP/2 over it, for a while: `FUZZ_SECONDS` (20 unless
 * told otherwise), from `FUZZ_SEED`. Nothing may crash, every stream of a client that keeps to the rules is answered, and
 * connections, memory and counters return to what they were.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { Dice } from '../harness/dice.ts'
import { askLegally, askStrangely, type Targets } from '../harness/h2-legal-fuzz.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { fuzzTls } from '../harness/tls-fuzz.ts'
import { descriptors, residentBytes } from './process-facts.ts'

const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 20)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)
const AT_ONCE = 8
const MEMORY_MAX = 150_000_000
const WARM_UP_ROUNDS = 40

const CONF = `
  worker_processes 1;
  error_log %%DIR%%/error.log error;
  http {
    access_log off;
    client_body_temp_path %%DIR%%;
    proxy_temp_path %%DIR%%;
    lingering_timeout 50ms;
    keepalive_requests 10000000;
    http2_max_concurrent_streams 128;
    ssl_certificate %%DIR%%/cert.pem;
    ssl_certificate_key %%DIR%%/key.pem;
    ssl_session_cache shared:SSL:1m;
    root %%DIR%%;
    server {
      listen 127.0.0.1:%%PORT_0%% ssl;
      listen 127.0.0.1:%%PORT_1%%;
      http2 on;
      location = / { return 200 hello; }
      location /read { proxy_pass http://127.0.0.1:%%PORT_2%%; }
      location /stream { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_2%%; }
      location /refused { proxy_pass http://127.0.0.1:1; }
    }
    server { listen 127.0.0.1:%%PORT_2%%; location / { return 200 read; } location /status { stub_status; } }
  }`

const TARGETS: Targets = [
  ['/', 200, 200],
  ['/big.txt', 200, 405],
  ['/read', 200, 200],
  ['/stream', 200, 200],
  ['/refused', 502, 502],
  ['/none', 404, 404],
]

async function round(server: Server, seed: number): Promise<void> {
  const jobs = Array.from({ length: AT_ONCE }, async (_, n) => {
    const dice = new Dice(seed + n)
    const tls = dice.below(2) === 0
    const port = server.port(tls ? 0 : 1)
    try {
      if (n < 2) await askLegally(port, dice, TARGETS, tls)
      else if (n < 4) await askStrangely(port, dice, tls)
      else await fuzzTls(server.port(0), dice)
    } catch (error) {
      throw new Error(`seed ${seed + n}`, { cause: error })
    }
  })
  await Promise.all(jobs)
}

/** Connections that the server counts, without the one that asks. */
async function counted(server: Server): Promise<number> {
  const text = await (await fetch(server.url('/status', 2), { headers: { Connection: 'close' } })).text()
  return Number(/Active connections: (\d+)/.exec(text)![1]) - 1
}

/** No thread has died. */
function assertUnharmed(server: Server, seed: number): void {
  const alerts = server
    .errorLog()
    .split('\n')
    .filter((line) => /\[(alert|emerg)\]/.test(line))
  assert.deepEqual(alerts, [], `seeds from ${seed}`)
}

test('TLS and HTTP/2 that go wrong, for a while', { timeout: (SECONDS + 90) * 1000 }, async (t) => {
  const certificates = new Certificates()
  const { cert, key } = certificates.make('localhost')
  certificates.remove()
  const files = { 'cert.pem': cert, 'key.pem': key, 'big.txt': 'x'.repeat(100_000) }
  await using server = await startViaduct(CONF, { files, alerts: true })
  const pid = server.child.pid!
  let seed = SEED
  for (let n = 0; n < WARM_UP_ROUNDS; n++, seed += AT_ONCE) await round(server, seed)
  await server.until('the first connections are gone', async () => (await counted(server)) <= 0)
  const before = { memory: residentBytes(pid), descriptors: descriptors(pid) }
  const end = performance.now() + SECONDS * 1000
  let rounds = 0
  for (; performance.now() < end; rounds++, seed += AT_ONCE) {
    await round(server, seed)
    assertUnharmed(server, seed)
  }
  await server.until('no connection is counted', async () => (await counted(server)) <= 0)
  await server.until('descriptors are closed', () => descriptors(pid) <= before.descriptors + 5)
  const grown = residentBytes(pid) - before.memory
  t.diagnostic(`${rounds * AT_ONCE} connections from seed ${SEED}, ${Math.round(grown / 1e6)} MB more`)
  assert.ok(grown < MEMORY_MAX, `${grown} bytes more, seed ${SEED}`)
})
