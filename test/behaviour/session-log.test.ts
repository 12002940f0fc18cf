/** session_log: one line for the requests of a session, written when it is over. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { Prefix, startViaduct } from '../harness/server.ts'

const CONF = `
worker_processes 2;
http {
  access_log off;
  session_log_format sum "$uri $arg_who $body_bytes_sent/$body_bytes_sent $session_log_id";
  session_log_zone %%DIR%%/sessions.log zone=one:64k format=sum timeout=3s id=$arg_id md5=$arg_who;
  session_log_zone %%DIR%%/combined.log zone=two:64k;
  session_log_zone %%DIR%%/long.log zone=long:64k format=sum timeout=1h md5=$arg_who;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    session_log one;
    location /long { session_log long; return 200 0123456789; }
    location / { add_header X-Id $session_log_id; return 200 0123456789; }
    location /off { session_log off; add_header X-Id "[$session_log_id]"; return 204; }
    location /two { session_log two; return 200 0123456789; }
  }
}`

const MD5_ANN = '7e0d7f8a5d96c24ffcc840f31bce72b2'
const GIVEN = '00112233445566778899aabbccddeeff'

test('the requests of a session are one line', async () => {
  const options = { prepare: (dir: string) => fs.chmodSync(dir, 0o777) }
  await using server = await startViaduct(CONF, options)
  const get = async (path: string): Promise<Response> => {
    const response = await fetch(server.url(path), { headers: { connection: 'close', 'user-agent': 'me' } })
    await response.arrayBuffer()
    return response
  }
  for (let i = 0; i < 6; i++) assert.equal((await get(`/a${i}?who=ann`)).headers.get('x-id'), MD5_ANN)
  await get(`/b?who=bob&id=${GIVEN}`)
  await get('/c?who=ann&id=xyz')
  assert.equal((await get('/off?who=ann')).headers.get('x-id'), '[]')
  await get('/two')
  await get('/two')
  assert.equal(server.prefix.read('sessions.log'), '')
  const lines = (file = 'sessions.log'): string[] => server.prefix.read(file).split('\n').filter(Boolean).toSorted()
  await server.until('the lines', () => lines().length === 2)
  assert.deepEqual(lines(), [`/a0 ann 70/70 ${MD5_ANN}`, `/b bob 10/10 ${GIVEN}`])
  // The next request begins another session; one that may still be silent for an hour survives a reload.
  await get('/d?who=ann')
  await get('/long/d?who=ann')
  await server.reload()
  await get('/long/e?who=ann')
  await server.stop()
  assert.deepEqual(
    lines().filter((line) => line.startsWith('/d')),
    [`/d ann 10/10 ${MD5_ANN}`],
  )
  assert.deepEqual(lines('long.log'), [`/long/d ann 20/20 ${MD5_ANN}`])
  assert.match(server.prefix.read('combined.log'), /^127\.0\.0\.1 - - \[.+\] "GET \/two HTTP\/1\.1" 200 20 "-" "me"\n$/)
})

test('a full zone writes the sessions that were silent longest', async () => {
  const options = { prepare: (dir: string) => fs.chmodSync(dir, 0o777) }
  await using server = await startViaduct(
    `http {
      access_log off;
      session_log_format sum "$arg_who $body_bytes_sent";
      session_log_zone %%DIR%%/sessions.log zone=one:32k format=sum timeout=1h md5=$arg_who;
      server { listen 127.0.0.1:%%PORT_0%%; session_log one; location / { return 200 0123456789; } }
    }`,
    options,
  )
  const count = 400
  for (let i = 0; i < count; i++) await (await fetch(server.url(`/?who=s${i}`))).arrayBuffer()
  const written = server.prefix.read('sessions.log').split('\n').filter(Boolean)
  assert.ok(written.length > 50 && written.length < count)
  assert.equal(written[0], 's0 10')
  await server.stop()
  assert.equal(server.prefix.read('sessions.log').split('\n').filter(Boolean).length, count)
})

test('sessions are written where nobody keeps their zone any more', async () => {
  const options = { prepare: (dir: string) => fs.chmodSync(dir, 0o777) }
  const conf = (zone: string, place: string): string => `
    worker_processes 2;
    http {
      access_log off;
      session_log_format sum "$arg_who $body_bytes_sent";
      ${zone}
      server { listen 127.0.0.1:%%PORT_0%%; location / { ${place} return 200 0123456789; } }
    }`
  const zone = 'session_log_zone %%DIR%%/sessions.log zone=one:64k format=sum timeout=1h md5=$arg_who;'
  await using server = await startViaduct(conf(zone, 'session_log one;'), options)
  const get = async (who: string): Promise<void> => {
    await (await fetch(server.url(`/?who=${who}`), { headers: { connection: 'close' } })).arrayBuffer()
  }
  const lines = (): string[] => server.prefix.read('sessions.log').split('\n').filter(Boolean).toSorted()
  await get('ann')
  await get('ann')
  // The same zone goes on, whatever else changes.
  await server.reload(conf(`${zone} keepalive_timeout 5;`, 'session_log one;'))
  await get('ann')
  assert.deepEqual(lines(), [])
  // No zone any more, a zone of another size, and a stop that waits for nobody.
  await server.reload(conf('', ''))
  await server.until('the first line', () => lines().length === 1)
  assert.deepEqual(lines(), ['ann 30'])
  await server.reload(conf(zone, 'session_log one;'))
  await get('bob')
  await server.reload(conf(zone.replace('64k', '128k'), 'session_log one;'))
  await server.until('the second line', () => lines().length === 2)
  await get('bob')
  await server.stop('SIGTERM')
  assert.deepEqual(lines(), ['ann 30', 'bob 10', 'bob 10'])
})

test('mistakes', async () => {
  const message = async (line: string): Promise<string> => {
    await using prefix = await Prefix.create(`events {} http { ${line} }`)
    return (await prefix.run(['-t'])).stderr
  }
  assert.match(await message('server { session_log x; }'), /unknown session log "x"/)
  assert.match(await message('session_log_zone a.log format=x;'), /must have "zone" parameter/)
  assert.match(await message('session_log_zone a.log zone=a:1m format=x;'), /unknown log format "x"/)
  assert.match(await message('session_log_zone a.log zone=a:1k;'), /zone "a" is too small/)
  assert.match(await message('session_log_zone a.log zone=a:1m timeout=x;'), /invalid timeout "x"/)
})
