/** Looking after the files: what is deleted when, what a restart knows, and what is made of broken files. */
import assert from 'node:assert/strict'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { CACHE_HIT, CACHE_MISS, CACHE_STALE } from '../../src/http/cache/cache-use.ts'
import { Keeper } from '../../src/http/cache/keeper/keeper.ts'
import { decodeSnapshot, SNAPSHOT_NAME } from '../../src/http/cache/keeper/snapshot.ts'
import { forgetPurges, notedPurges, notePurge } from '../../src/http/cache/purge-journal.ts'
import { clock } from '../../src/lib/clock.ts'
import { COLD, DOOMED_COUNT, ENTRY_COUNT, LOADED, LOADING, RULE_COUNT, SIZE } from '../../src/shared/cache/layout.ts'
import { until } from '../harness/wait.ts'
import { jumpWall, lookUp, makeCache, passSeconds, store, type TestCache, use } from './cache-maker.ts'

const FAST = { files: 5, sleepMs: 1, thresholdMs: 50 }
const VARY = { vary: 'accept-encoding' }
const GZIP = { 'accept-encoding': 'gzip' }
const PLAIN = { 'accept-encoding': '' }

function keep(made: TestCache): { readonly keeper: Keeper; readonly lines: string[] } {
  const lines: string[] = []
  const path = { ...made.cache.path, loader: FAST, manager: FAST, purger: FAST }
  const keeper = new Keeper(made.zone, path, (_, message) => lines.push(message))
  keeper.start()
  after(() => keeper.stop())
  return { keeper, lines }
}

/** Another zone over the same files, as after a restart, loaded by its keeper. */
async function restart(made: TestCache): Promise<TestCache> {
  const again = makeCache({ path: made.cache.path.path })
  again.zone.words[LOADING] = COLD
  const { lines } = keep(again)
  await until('the keeper', () => again.zone.words[LOADING] === LOADED)
  again.lines.push(...lines)
  return again
}

function fileCount(made: TestCache): number {
  const files = readdirSync(made.cache.path.path, { recursive: true, withFileTypes: true })
  return files.filter((one) => one.isFile() && !one.name.startsWith('viaduct.purges')).length
}

test('what was not used for long goes, and what is used stays', async () => {
  const made = makeCache({ inactiveS: 100 })
  const long = { validSec: clock.seconds + 1000 }
  store(made, '/old', 'x', long)
  store(made, '/used', 'x', long)
  passSeconds(60)
  clock.update()
  lookUp(made, '/used')
  passSeconds(50)
  const { keeper } = keep(made)
  await until('the keeper', () => !existsSync(made.cache.fileName('/old')))
  assert.equal(lookUp(made, '/used')[0], CACHE_HIT)
  keeper.stop()
})

test('a clock on the wall that jumps takes nothing away', async () => {
  const made = makeCache({ inactiveS: 100 })
  store(made, '/a', 'x', { validSec: clock.seconds + 1_000_000 })
  jumpWall(5000)
  const { keeper } = keep(made)
  store(made, '/b', 'x')
  made.cache.purgeTag('none', false)
  made.cache.purgePrefix('/none', false)
  // What it does by itself it has done when this is done.
  await until('the keeper', () => made.zone.words[RULE_COUNT] === 0)
  assert.equal(lookUp(made, '/a')[0], CACHE_HIT)
  jumpWall(-5000)
  assert.equal(lookUp(made, '/a')[0], CACHE_HIT)
  keeper.stop()
})

test('a cache that may not be so large any more is made smaller', async () => {
  const made = makeCache()
  for (let n = 0; n < 20; n++) store(made, `/${n}`, 'x'.repeat(10_000))
  const { keeper } = keep(made)
  keeper.path = { ...keeper.path, maxSize: 100_000 }
  await until('the keeper', () => made.room.index.memory.float(SIZE) <= 100_000)
  assert.equal(lookUp(made, '/19')[0], CACHE_HIT)
  assert.equal(fileCount(made) < 10, true)
  keeper.stop()
})

test('what was purged by tag or prefix is deleted from the disk', async () => {
  const made = makeCache()
  for (let n = 0; n < 20; n++) store(made, `/${n}`, 'x', { tags: n < 10 ? ['low'] : [] })
  const { keeper } = keep(made)
  made.cache.purgeTag('low', false)
  await until('the keeper', () => made.zone.words[DOOMED_COUNT] === 0)
  assert.equal(fileCount(made), 10)
  made.cache.purgePrefix('/11', false)
  made.cache.purgePrefix('/12', true)
  await until('the keeper', () => made.zone.words[RULE_COUNT] === 0)
  assert.equal(fileCount(made), 9)
  assert.equal(lookUp(made, '/12')[0], CACHE_STALE)
  made.cache.purgePrefix('', false)
  await until('the keeper', () => fileCount(made) === 0)
  await until('the keeper', () => made.zone.words[ENTRY_COUNT] === 0)
  keeper.stop()
})

test('a restart finds all files, with variants and tags', async () => {
  const made = makeCache()
  store(made, '/v', 'zip', VARY, GZIP)
  store(made, '/v', 'plain', VARY, PLAIN)
  for (let n = 0; n < 20; n++) store(made, `/${n}`, 'x')
  const again = await restart(made)
  assert.match(again.lines[0]!, /^http file cache: .*\/cache 0\.086M, bsize: 4096$/)
  assert.equal(again.room.index.memory.float(SIZE), made.room.index.memory.float(SIZE))
  assert.equal(again.zone.words[ENTRY_COUNT], 22)
  assert.deepEqual(lookUp(again, '/v', PLAIN), [CACHE_HIT, 'plain'])
  assert.equal(again.cache.purgeKey('/v', false, { logError: () => {} }), 2)
})

test('what is no file of the cache is left alone, or deleted when it would be taken for one', async () => {
  const made = makeCache()
  store(made, '/a', 'x')
  const folder = made.cache.path.path
  mkdirSync(join(folder, 'temp'))
  writeFileSync(join(folder, 'temp', '0'.repeat(32)), '')
  writeFileSync(join(folder, 'README'), '')
  const broken = join(folder, '0', '00', '0'.repeat(32))
  mkdirSync(dirname(broken), { recursive: true })
  writeFileSync(broken, 'x'.repeat(400))
  const [left, abandoned] = [`${broken}.0000000001`, `${broken}.0000000002`]
  writeFileSync(left, 'x')
  writeFileSync(abandoned, 'x')
  utimesSync(abandoned, 1e9, 1e9)
  await restart(made)
  assert.deepEqual([broken, abandoned, left, join(folder, 'README')].map(existsSync), [false, false, true, true])
  assert.equal(existsSync(join(folder, 'temp', '0'.repeat(32))), true)
})

test('half a response of somebody who was killed goes when nobody has come back to it', async () => {
  const made = makeCache()
  store(made, '/a', 'x')
  const left = `${made.cache.fileName('/a')}.0000000001`
  writeFileSync(left, 'x')
  const again = makeCache({ path: made.cache.path.path })
  again.zone.words[LOADING] = COLD
  const { keeper } = keep(again)
  await until('the files', () => again.zone.words[LOADING] === LOADED)
  assert.equal(existsSync(left), true)
  passSeconds(3700)
  keeper.path = { ...keeper.path }
  await until('it is deleted', () => !existsSync(left))
})

test('with a snapshot a restart knows uses, order, tags and soft purges; what is gone is forgotten', async () => {
  const made = makeCache({ inactiveS: 1000 })
  const { keeper } = keep(made)
  for (const key of ['/first', '/second', '/gone']) store(made, key, 'x', { tags: [`tag${key}`] })
  store(made, '/v', 'zip', VARY, GZIP)
  store(made, '/v', 'plain', VARY, PLAIN)
  made.cache.purgeKey('/second', true, { logError: () => {} })
  passSeconds(10)
  clock.update()
  lookUp(made, '/first')
  keeper.stop()
  const path = join(made.cache.path.path, SNAPSHOT_NAME)
  assert.equal(existsSync(path), true)
  made.room.unlink(made.cache.fileName('/gone'), undefined)
  const again = await restart(made)
  assert.deepEqual(lookUp(again, '/gone'), [CACHE_MISS, ''])
  assert.equal(again.cache.purgeTag('tag/gone', false), 0)
  assert.equal(lookUp(again, '/second')[0], CACHE_STALE)
  assert.equal(again.cache.purgeTag('tag/first', false), 1)
  assert.equal(again.cache.purgeKey('/v', false, { logError: () => {} }), 2)
})

test('a purge that a restart interrupts goes on, and does not take what came after it', async () => {
  const made = makeCache({ loader: FAST, manager: { ...FAST, sleepMs: 60_000 } })
  for (let n = 0; n < 30; n++) store(made, `/p/${n}`, 'x')
  store(made, '/q', 'x')
  const keeper = new Keeper(made.zone, { ...made.cache.path, purger: { ...FAST, files: 1, sleepMs: 60_000 } }, () => {})
  keeper.start()
  made.cache.purgePrefix('/p/', false)
  made.cache.purgePrefix('/soft', true)
  store(made, '/p/1', 'new')
  passSeconds(1)
  keeper.stop()
  assert.equal(made.zone.words[RULE_COUNT], 2)
  const again = await restart(made)
  assert.deepEqual(lookUp(again, '/p/1'), [CACHE_HIT, 'new'])
  assert.equal(lookUp(again, '/p/2')[0], CACHE_MISS)
  await until('the purge', () => again.zone.words[RULE_COUNT] === 0)
  assert.equal(again.zone.words[ENTRY_COUNT], 2)
})

const killed = (made: TestCache) => {
  for (const key of ['/p/1', '/p/2', '/soft']) store(made, key, 'x')
  for (const key of ['/tagged', '/stale']) store(made, key, 'x', { tags: [key] })
  store(made, '/q', 'x')
}

const notedIn = (folder: string) => notedPurges(folder, assert.fail)

const purgeAll = ({ cache }: TestCache) => {
  cache.purgePrefix('/p/', false)
  cache.purgePrefix('/soft', true)
  cache.purgeTag('/tagged', false)
  cache.purgeTag('/stale', true)
}

for (const [when, end] of [
  ['before anything was done', () => {}],
  ['after a snapshot', (made: TestCache) => new Keeper(made.zone, made.cache.path, () => {}).stop()],
] as const) {
  test(`purges survive a process that is killed ${when}`, async () => {
    const made = makeCache()
    killed(made)
    if (when.startsWith('after')) end(made)
    purgeAll(made)
    end(made)
    const again = await restart(made)
    for (const key of ['/p/1', '/p/2', '/tagged']) assert.equal(lookUp(again, key)[0], CACHE_MISS, key)
    for (const key of ['/soft', '/stale']) assert.equal(lookUp(again, key)[0], CACHE_STALE, key)
    assert.equal(lookUp(again, '/q')[0], CACHE_HIT)
    await until('the purge', () => again.zone.words[RULE_COUNT] === 0)
    assert.equal(fileCount(again) - Number(existsSync(join(again.cache.path.path, SNAPSHOT_NAME))), 3)
  })
}

test('purges of keys of which nothing is known yet survive, too', async () => {
  const made = makeCache()
  killed(made)
  const cold = makeCache({ path: made.cache.path.path })
  cold.zone.words[LOADING] = COLD
  store(made, '/v', 'zip', VARY, GZIP)
  store(made, '/v', 'plain', VARY, PLAIN)
  cold.cache.purgeKey('/v', false, { logError: () => {} })
  const again = await restart(made)
  assert.equal(lookUp(again, '/v', PLAIN)[0], CACHE_MISS)
  assert.equal(lookUp(again, '/q')[0], CACHE_HIT)
})

test('the journal of purges goes when a snapshot tells of them, and not before', async () => {
  const made = makeCache()
  killed(made)
  const path = join(made.cache.path.path, 'viaduct.purges')
  purgeAll(made)
  new Keeper(made.zone, made.cache.path, () => {}).stop()
  assert.equal(existsSync(path), true)
  const { keeper } = keep(made)
  await until('the keeper', () => made.zone.words[DOOMED_COUNT] === 0 && made.zone.words[RULE_COUNT] === 0)
  keeper.stop()
  assert.equal(existsSync(path), false)
  assert.equal(notedIn(made.cache.path.path).length, 0)
})

test('what is added to the journal while it is left for a snapshot stays until the next', () => {
  const made = makeCache()
  const folder = made.cache.path.path
  mkdirSync(folder, { recursive: true })
  const note = (text: string) => notePurge(folder, { type: 0, text }, undefined)
  const texts = () => notedIn(folder).map(({ text }) => text)
  note('one')
  forgetPurges(folder, () => false)
  note('two')
  assert.deepEqual(texts(), ['one', 'two'])
  forgetPurges(folder, () => false)
  assert.deepEqual(texts(), ['two'])
  forgetPurges(folder, () => true)
  assert.deepEqual(texts(), [])
})

test('a journal that is cut off tells of what is whole; one that is too long purges everything', () => {
  const made = makeCache()
  const folder = made.cache.path.path
  mkdirSync(folder, { recursive: true })
  for (let n = 0; n < 600; n++) notePurge(folder, { type: 0, text: `/${n % 512}` }, undefined)
  assert.equal(notedIn(folder).length, 512)
  const path = join(folder, 'viaduct.purges')
  writeFileSync(path, readFileSync(path).subarray(0, 35))
  assert.deepEqual(
    notedIn(folder).map(({ text }) => text),
    ['/0', '/1', '/2'],
  )
  writeFileSync(path, '')
  for (let n = 0; n < 513; n++) notePurge(folder, { type: 1, text: `/${n}` }, undefined)
  assert.deepEqual(notedIn(folder), [{ type: 0, text: '' }])
})

test('a journal that cannot be read is told of, and one that is none ends where it makes no sense', () => {
  const folder = makeCache().cache.path.path
  const path = join(folder, 'viaduct.purges')
  mkdirSync(path, { recursive: true })
  const problems: string[] = []
  assert.deepEqual(
    notedPurges(folder, (problem) => problems.push(problem)),
    [],
  )
  assert.equal(problems.length, 1)
  assert.match(problems[0]!, /^open\(\) ".*\/viaduct\.purges" failed \(21: Is a directory\): /)
  rmdirSync(path)
  notePurge(folder, { type: 0, text: '/a' }, undefined)
  appendFileSync(path, Buffer.alloc(64, 8))
  assert.deepEqual(notedIn(folder), [{ type: 0, text: '/a' }])
})

test('a snapshot with any flipped bit, or cut off anywhere, is not used', () => {
  const made = makeCache()
  const { keeper } = keep(made)
  store(made, '/a', 'x', { tags: ['one', 'two'] })
  store(made, '/b', 'x')
  keeper.stop()
  const bytes = readFileSync(join(made.cache.path.path, SNAPSHOT_NAME))
  assert.equal(decodeSnapshot(bytes)!.records.length, 2)
  for (let size = 0; size < bytes.length; size++) assert.equal(decodeSnapshot(bytes.subarray(0, size)), undefined)
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[at] = flipped[at]! ^ (1 << bit)
      assert.equal(decodeSnapshot(flipped), undefined, `byte ${at}`)
    }
  }
})

test('a process that only keeps may end', async () => {
  const made = makeCache()
  const { keeper } = keep(made)
  assert.equal(use(made, '/a').updating, false)
  keeper.stop()
  assert.deepEqual(
    process.getActiveResourcesInfo().filter((name) => name === 'Timeout'),
    [],
  )
})
