/** proxy_cache_purge in its three forms, by key, prefix and tag. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { ask, cachedConf, outcome } from '../harness/cached.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const KEEP = ['Cache-Control: max-age=60']

function counting(fields: readonly string[] = KEEP): Promise<Peer> {
  let count = 0
  return Peer.start(() => reply(`answer ${++count}`, fields))
}

const purge = (server: Server, path: string, fields: readonly string[] = [], method = 'PURGE') =>
  ask(server, path, fields, method)

test("the purge module's form for requests of a method", async () => {
  await using peer = await counting()
  await using server = await startViaduct(
    cachedConf(peer, 'proxy_cache_key $request_method$uri; proxy_cache_purge PURGE from 127.0.0.1;'),
  )
  assert.match(await purge(server, '/a'), /^HTTP\/1.1 404 /)
  assert.equal(await outcome(server, '/a'), 'MISS answer 1')
  assert.equal(await outcome(server, '/a'), 'HIT answer 1')
  const page = await purge(server, '/a')
  assert.match(
    page,
    /^HTTP\/1.1 200 OK\r\n[\s\S]*<title>Successful purge<\/title>[\s\S]*<br>Key : GET\/a\r\n<br>Path: \S*\/cache\//,
  )
  assert.equal(await outcome(server, '/a'), 'MISS answer 2')
})

test('others may not purge', async () => {
  await using peer = await counting()
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_purge PURGE from 10.0.0.0/8;'))
  assert.equal(await outcome(server, '/a'), 'MISS answer 1')
  assert.match(await purge(server, '/a'), /^HTTP\/1.1 403 /)
  assert.equal(await outcome(server, '/a'), 'HIT answer 1')
  assert.equal(peer.requests.length, 1)
})

test("NGINX Plus's form, with wildcards", async () => {
  await using peer = await counting()
  const map = 'map $request_method $purge { PURGE 1; default 0; }'
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_key $uri; proxy_cache_purge $purge;', map))
  for (const path of ['/a/1', '/a/2', '/b']) await outcome(server, path)
  assert.match(await purge(server, '/a/*'), /^HTTP\/1.1 204 No Content\r\n/)
  assert.equal(await outcome(server, '/a/1'), 'MISS answer 4')
  assert.equal(await outcome(server, '/a/2'), 'MISS answer 5')
  assert.equal(await outcome(server, '/b'), 'HIT answer 3')
  assert.match(await purge(server, '/b'), /^HTTP\/1.1 204 /)
  assert.match(await purge(server, '/b'), /^HTTP\/1.1 404 /)
})

// The guides' recipes: on nginx neither finds anything, for one has PURGE in its key and the other no more than a URI.
for (const [name, key, purgeKey] of [
  ['with the method in it', '$scheme$request_method$host$request_uri', '"$scheme$request_method$host$1"'],
  ['that is a URI', '$host$request_uri', '$1'],
] as const) {
  test(`a location that purges a key ${name}`, async () => {
    await using peer = await counting()
    const place = `proxy_cache_key ${key}; } location ~ /purge(/.*) { proxy_cache_purge one ${purgeKey};`
    await using server = await startViaduct(cachedConf(peer, place))
    assert.equal(await outcome(server, '/api/data'), 'MISS answer 1')
    assert.match(await purge(server, '/purge/api/data'), /^HTTP\/1.1 200 OK\r\n[\s\S]*Successful purge/)
    assert.match(await purge(server, '/purge/api/data', [], 'GET'), /^HTTP\/1.1 404 /)
    assert.equal(await outcome(server, '/api/data'), 'MISS answer 2')
    assert.match(await purge(server, '/purge/api/data', [], 'GET'), /^HTTP\/1.1 200 /)
  })
}

test('by tag, and softly', async () => {
  await using peer = await counting([...KEEP, 'Surrogate-Key: shop item-1', 'Cache-Tag: a, b'])
  await using server = await startViaduct(
    cachedConf(peer, 'proxy_cache_purge PURGE; proxy_cache_use_stale updating; proxy_cache_background_update on;'),
  )
  for (const [field, count] of [
    ['Surrogate-Key: item-1', 1],
    ['Cache-Tag: b', 2],
  ] as const) {
    assert.equal(await outcome(server, '/a'), `MISS answer ${count}`)
    assert.match(await purge(server, '/any', [field]), /^HTTP\/1.1 200 /)
  }
  assert.equal(await outcome(server, '/a'), 'MISS answer 3')
  assert.match(await purge(server, '/a', ['Fastly-Soft-Purge: 1']), /^HTTP\/1.1 200 /)
  assert.equal(await outcome(server, '/a'), 'STALE answer 3')
  await server.until('renewed', async () => (await outcome(server, '/a')) === 'HIT answer 4')
})

test('all variants go', async () => {
  await using peer = await counting([...KEEP, 'Vary: Accept'])
  await using server = await startViaduct(cachedConf(peer, 'proxy_cache_purge PURGE;'))
  for (const type of ['a', 'b']) await outcome(server, '/a', [`Accept: ${type}`])
  assert.match(await purge(server, '/a'), /^HTTP\/1.1 200 /)
  for (const type of ['a', 'b']) assert.match(await outcome(server, '/a', [`Accept: ${type}`]), /^MISS/)
})

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`purges hold when ${signal} comes right behind them`, async () => {
    await using peer = await Peer.start(({ line }) =>
      reply('answer', [...KEEP, `Surrogate-Key: ${line.split('/')[1]}`]),
    )
    // Files stay as long as nobody is in a hurry.
    const path =
      'proxy_cache_path %%DIR%%/slow keys_zone=slow:1m manager_sleep=1m purger_sleep=1m manager_files=1 purger_files=1;'
    const more =
      'proxy_cache slow; proxy_cache_key $uri; proxy_cache_purge PURGE from all; proxy_cache_use_stale updating;'
    const conf = cachedConf(peer, '', path).replace('proxy_cache one;', more)
    await using server = await startViaduct(conf, { alerts: true })
    const pages = ['/a/1', '/a/2', '/b/1', '/b/2', '/c/1', '/d/1', '/d/2']
    for (const page of pages) assert.equal(await outcome(server, page), 'MISS answer')
    await purge(server, '/a/*')
    await purge(server, '/', ['Surrogate-Key: b'])
    await purge(server, '/', ['Surrogate-Key: c', 'Fastly-Soft-Purge: 1'])
    await killEngine(server, signal)
    await server.until('the new one', async () => (await outcome(server, '/d/1')) === 'HIT answer')
    for (const page of ['/a/1', '/a/2', '/b/1', '/b/2']) assert.equal(await outcome(server, page), 'MISS answer', page)
    assert.match(await outcome(server, '/c/1'), /^(?:EXPIRED|STALE|UPDATING) /)
    assert.equal(await outcome(server, '/d/2'), 'HIT answer')
  })
}

/** Ends the process that serves; the master starts another. */
async function killEngine(server: Server, signal: NodeJS.Signals): Promise<void> {
  const [, master, engine] = /(\d+)#\d+: start worker process (\d+)/.exec(server.errorLog()) ?? []
  for (const child of fs.readFileSync(`/proc/${master}/task/${master}/children`, 'latin1').trim().split(' '))
    process.kill(Number(child), signal)
  const others = new RegExp(`start worker process (?!${engine}\\b)`)
  await server.until('others', () => others.test(server.errorLog()))
}
