/** Broken HTTP/2 against the running program: it goes on serving, says nothing above `error`, and leaks nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Dice } from '../harness/dice.ts'
import { H2Client } from '../harness/h2-client.ts'
import { fuzzConnection } from '../harness/h2-fuzz.ts'
import { startViaduct } from '../harness/server.ts'
import { descriptors } from '../robustness/process-facts.ts'

const CONNECTIONS = 400
const AT_ONCE = 10

const CONF = `master_process off;
http {
  client_body_temp_path %%DIR%%;
  lingering_timeout 50ms;
  server {
    listen 127.0.0.1:%%PORT_0%% http2;
    root %%DIR%%;
    http2_body_preread_size 100;
    location = / { return 200 hello; }
    location /read { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /stream { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /paced { limit_rate 20k; limit_rate_after 1; try_files /big.txt =404; }
  }
  server { listen 127.0.0.1:%%PORT_1%%; return 200 read; }
}`

test('broken connections', async () => {
  await using server = await startViaduct(CONF, { files: { 'big.txt': 'x'.repeat(200_000) } })
  const port = server.prefix.port()
  const paths = ['/', '/big.txt', '/read', '/stream', '/paced', '/none']
  await using client = await H2Client.connect(port)
  client.request(1)
  await client.response(1)
  const before = descriptors(server.child.pid!)
  for (let n = 0; n < CONNECTIONS; n += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => fuzzConnection(port, new Dice(n + i), paths)))
  }
  client.request(3, { path: '/read', method: 'POST', body: 'x' })
  assert.equal((await client.response(3)).status, 200)
  // Kept connections to the back end do not count.
  await server.until('all connections are gone', () => descriptors(server.child.pid!) <= before + 2)
})
