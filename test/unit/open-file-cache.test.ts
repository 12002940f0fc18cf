/** open_file_cache: what is believed for how long, what is forgotten, and that no descriptor is left open. */
import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CONTENT_SIZE_MAX, type FileEntry } from '../../src/http/files/file-entry.ts'
import { FileMemory } from '../../src/http/files/file-memory.ts'
import { look, OpenFileCache } from '../../src/http/files/open-file-cache.ts'

const folder = mkdtempSync(join(tmpdir(), 'viaduct-cache-'))
after(() => rmSync(folder, { recursive: true }))

const USE = { validMs: 1000, minUses: 1, errors: false }
/** A moment long after every file here was written. */
const LATER = Date.now() + 10_000

function write(name: string, text: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  utimesSync(path, 1e9, 1e9)
  return path
}

function openCount(name: string): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return links.filter((link) => link.includes(join(folder, name))).length
}

/** What `openFile` does with what the cache finds. */
function open(cache: OpenFileCache, path: string, use: typeof USE, now: number): FileEntry {
  const found = cache.find(path, use, now)
  if (found.error !== '' || found.content !== undefined || found.fd >= 0) {
    found.retain()
    return found
  }
  const opened = found.open(LATER, false)
  opened.retain()
  cache.replace(path, opened)
  return opened
}

test('an entry is believed until its time is over', () => {
  const cache = new OpenFileCache(10, 60_000)
  const path = write('a', 'one')
  open(cache, path, USE, 0).release()
  const first = open(cache, path, USE, 10)
  first.release()
  assert.equal(first.content?.toString(), 'one')
  renameSync(write('next', 'two'), path)
  assert.equal(cache.find(path, USE, 999), first)
  const second = open(cache, path, USE, 1010)
  second.release()
  assert.equal(second.content?.toString(), 'two')
})

test('what a request opens whose configuration is replaced is not kept', () => {
  const cache = new OpenFileCache(10, 60_000)
  const path = write('late', Buffer.alloc(CONTENT_SIZE_MAX + 1))
  open(cache, path, USE, 0).release()
  assert.equal(openCount('late'), 1)
  cache.retire()
  const late = open(cache, path, USE, 10)
  assert.equal(openCount('late'), 1)
  late.release()
  assert.equal(openCount('late'), 0)
  assert.equal(cache.count, 0)
})

test('failures are remembered only when asked for', () => {
  const cache = new OpenFileCache(10, 60_000)
  const path = join(folder, 'missing')
  assert.equal(cache.find(path, USE, 0).error, 'ENOENT')
  assert.equal(cache.count, 0)
  const keep = { ...USE, errors: true }
  assert.equal(cache.find(path, keep, 0).error, 'ENOENT')
  write('missing', 'here now')
  assert.equal(cache.find(path, keep, 500).error, 'ENOENT')
  assert.equal(cache.find(path, keep, 1500).error, '')
})

test('min_uses: until then the disk is asked each time', () => {
  const cache = new OpenFileCache(10, 60_000)
  const use = { ...USE, minUses: 2 }
  const path = write('often', '1')
  cache.find(path, use, 0)
  appendFileSync(path, '2')
  assert.equal(cache.find(path, use, 1).size, 2)
  appendFileSync(path, '3')
  assert.equal(cache.find(path, use, 2).size, 2)
})

test('the count is bounded and the unused are dropped, descriptors closed', () => {
  const cache = new OpenFileCache(3, 60_000)
  const big = Buffer.alloc(CONTENT_SIZE_MAX + 1)
  const paths = ['big1', 'big2', 'big3', 'big4'].map((name) => write(name, big))
  for (const path of paths) open(cache, path, USE, 0).release()
  assert.equal(cache.count, 3)
  assert.equal(openCount('big'), 3)
  // Looking at one keeps it; adding another drops up to two that were not used for long.
  cache.find(paths[3]!, USE, 60_000)
  cache.find(write('small', ''), USE, 60_001)
  assert.equal(openCount('big'), 1)
  const held = open(cache, paths[3]!, USE, 60_002)
  cache.retire()
  assert.equal(openCount('big'), 1)
  held.release()
  assert.equal(openCount('big'), 0)
})

test('memory is bounded and spares what is used', () => {
  const memory = new FileMemory(3000)
  const entries = ['m1', 'm2', 'm3'].map((name) => look(write(name, Buffer.alloc(900))).open(LATER, false))
  memory.put(entries[0]!)
  memory.put(entries[1]!)
  assert.equal(memory.get(entries[0]!.path), entries[0])
  memory.put(entries[2]!)
  assert.ok(memory.size <= 3000)
  assert.equal(memory.get(entries[1]!.path), undefined)
  assert.equal(entries[1]!.content, undefined)
  assert.equal(memory.get(entries[0]!.path)?.content?.length, 900)
  memory.putVariant(entries[0]!, 'gzip', Buffer.alloc(2500))
  assert.ok(memory.size <= 3000)
})

test('content that was read right after a change is not believed', () => {
  const path = write('fresh', 'a')
  const entry = look(path).open(Date.now(), false)
  assert.equal(entry.unsettled, true)
})
