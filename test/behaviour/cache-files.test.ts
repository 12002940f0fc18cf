/** The files of a cache: over restarts and reloads, what goes when, and what happens when they cannot be written. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ask, outcome } from '../harness/cached.ts'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

interface Setting {
  readonly path?: string
  readonly more?: string
  readonly main?: string
  readonly location?: string
}

function conf(peer: Peer, { path = '%%DIR%%/cache', more = '', main = '', location = '' }: Setting = {}): string {
  return `user root; worker_processes 2; error_log %%DIR%%/error.log info; ${main} http {
  proxy_cache_path ${path} levels=1:2 keys_zone=one:1m use_temp_path=off ${more};
  server { listen 127.0.0.1:%%PORT_0%%; add_header X-Cache $upstream_cache_status always;
    location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_cache one; proxy_cache_valid 10m; ${location} } } }`
}

function counting(length = 10): Promise<Peer> {
  let count = 0
  return Peer.start(() => reply(`answer ${++count} `.padEnd(length, 'x'), ['Surrogate-Key: tag']))
}

function sharedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-files-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'cache')
}

function filesIn(folder: string): string[] {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true })
  return all.filter((one) => one.isFile()).map((one) => one.name)
}

async function loaded(server: Server): Promise<void> {
  await server.logged(/http file cache: .*M, bsize: \d+/)
}

for (const main of ['', 'master_process off;']) {
  test(`what was kept is there after a restart ${main}`, async () => {
    await using peer = await counting()
    const path = sharedFolder()
    {
      await using server = await startViaduct(conf(peer, { path, main }))
      await loaded(server)
      assert.equal(await outcome(server, '/a'), 'MISS answer 1 x')
    }
    assert.deepEqual(filesIn(path).length, 2)
    assert.ok(filesIn(path).includes('viaduct.index'))
    await using server = await startViaduct(conf(peer, { path, main }))
    assert.equal(await outcome(server, '/a'), 'HIT answer 1 x')
    await loaded(server)
    assert.equal(await outcome(server, '/a'), 'HIT answer 1 x')
  })
}

test('a reload keeps what is there, takes new limits, and refuses another folder or other levels', async () => {
  await using peer = await counting(20_000)
  await using server = await startViaduct(conf(peer))
  for (let n = 1; n <= 10; n++) assert.match(await outcome(server, `/${n}`), /^MISS/)
  await server.reload(conf(peer, { more: 'max_size=100k' }))
  await server.until('less', () => filesIn(join(server.dir, 'cache')).length <= 5)
  assert.match(await outcome(server, '/10'), /^HIT/)
  const moved = await server.reloadRefused(conf(peer, { path: '%%DIR%%/other' }))
  assert.match(moved, /cache "one" uses the ".*\/other" cache path while previously it used the ".*\/cache" cache path/)
  const leveled = await server.reloadRefused(conf(peer).replace('levels=1:2', 'levels=2'))
  assert.match(leveled, /cache "one" had previously different levels/)
  assert.match(await outcome(server, '/10'), /^HIT/)
  await server.reload(conf(peer).replace('one:1m', 'one:2m'))
  assert.match(await outcome(server, '/10'), /^HIT/)
})

test('what nobody asks for goes', async () => {
  await using peer = await counting()
  await using server = await startViaduct(conf(peer, { more: 'inactive=1s' }))
  await outcome(server, '/a')
  await server.until('the file is deleted', () => filesIn(join(server.dir, 'cache')).length === 0)
  assert.match(await outcome(server, '/a'), /^MISS/)
})

test('what does not fit passes by', async () => {
  await using peer = await counting(200_000)
  await using server = await startViaduct(conf(peer, { more: 'max_size=100k' }))
  for (let n = 0; n < 3; n++) assert.match(await outcome(server, '/a'), /^MISS answer \d x{1000}/)
  assert.deepEqual(filesIn(join(server.dir, 'cache')), [])
  await server.logged(/\[warn\] .*response is not cached in "one": it is larger than "max_size", client: /)
})

test('a keys zone that is full makes room', async () => {
  await using peer = await counting()
  await using server = await startViaduct(conf(peer).replace('one:1m', 'one:8k'))
  for (let round = 0; round < 30; round++) {
    const asked = Array.from({ length: 10 }, (_, n) => outcome(server, `/${round * 10 + n}`))
    for (const text of await Promise.all(asked)) assert.match(text, /^MISS/)
  }
  assert.match(await outcome(server, '/last'), /^MISS/)
  assert.match(await outcome(server, '/last'), /^HIT/)
})

test('a folder that goes away: requests are answered, and it is logged', async () => {
  await using peer = await counting()
  await using server = await startViaduct(conf(peer))
  const folder = join(server.dir, 'cache')
  rmSync(folder, { recursive: true })
  writeFileSync(folder, '')
  for (let n = 0; n < 3; n++) assert.match(await ask(server, '/a'), /^HTTP\/1.1 200 OK/)
  await server.logged(/\[crit\] .*\(\) ".*\/cache\/.*" failed \(20: Not a directory\)/)
  rmSync(folder)
  assert.match(await outcome(server, '/a'), /^MISS/)
  assert.match(await outcome(server, '/a'), /^HIT/)
})

test('files that are deleted by others are missed once', async () => {
  await using peer = await counting()
  await using server = await startViaduct(conf(peer))
  await outcome(server, '/a')
  rmSync(join(server.dir, 'cache'), { recursive: true })
  // The worker that has answered keeps it in memory; the index is not told by those who delete.
  const again = await outcome(server, '/a')
  assert.match(again, /^(HIT answer 1|MISS answer 2)/)
  assert.equal(existsSync(join(server.dir, 'cache')), again.startsWith('MISS'))
})
