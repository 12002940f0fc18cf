/** The disk refuses, or the process is killed: a response passes without being stored, and nothing half is ever found. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CACHE_HIT, CACHE_MISS } from '../../src/http/cache/cache-use.ts'
import { REFUSED_DISK } from '../../src/http/cache/counters.ts'
import { COLD, FLIGHT_COUNT, LOADING, RESERVED } from '../../src/shared/cache/layout.ts'
import { until } from '../harness/wait.ts'
import { begin, lookUp, makeCache, OPEN, store, type TestCache, use } from './cache-maker.ts'

const SELF = fileURLToPath(import.meta.url)

function body(n: number): string {
  return `${n} `.repeat(20_000)
}

function assertNothingHeld(made: TestCache): void {
  assert.equal(made.room.index.memory.float(RESERVED), 0)
  assert.equal(made.zone.words[FLIGHT_COUNT], 0)
}

function refusals(): void {
  test('a folder that cannot be written: one line a second, and a counter', () => {
    const blocked = mkdtempSync(join(tmpdir(), 'viaduct-blocked-'))
    after(() => rmSync(blocked, { recursive: true }))
    writeFileSync(join(blocked, 'file'), '')
    const made = makeCache({ path: join(blocked, 'file', 'cache') })
    assert.equal(store(made, '/a', 'x'), false)
    assert.equal(store(made, '/a', 'x'), false)
    assert.equal(made.lines.length, 1)
    assert.match(made.lines[0]!, /^(mkdir|open)\(\) ".*" failed \(20: Not a directory\)$/)
    assert.equal(made.cache.counters.value(REFUSED_DISK), 2)
    assertNothingHeld(made)
  })

  test('a file that cannot get its name goes', () => {
    const made = makeCache({ useTempPath: true })
    mkdirSync(made.cache.fileName('/a'), { recursive: true })
    mkdirSync(join(made.cache.fileName('/a'), 'x'))
    assert.equal(store(made, '/a', 'x'), false)
    assert.match(made.lines[0]!, /^rename\(\) ".*" to ".*" failed \(\d+: .*directory\)$/i)
    assert.deepEqual(readdirSync(made.temp), [])
    assertNothingHeld(made)
  })
}

function disks(): void {
  test('a temporary folder on another file system: the file is copied', { skip: !mountable() }, () => {
    const [temp, unmount] = mount('4m')
    const made = makeCache({ useTempPath: true })
    const used = use(made, '/a')
    used.open(OPEN)
    begin({ ...made, temp }, used)
    used.append(Buffer.from('body'), 0, 4)
    assert.equal(used.complete(), true)
    used.release()
    assert.deepEqual(lookUp(made, '/a'), [CACHE_HIT, 'body'])
    assert.deepEqual(readdirSync(temp), [])
    unmount()
  })

  test('a full disk: what fits is stored, the rest passes, and nothing half is left', { skip: !mountable() }, () => {
    const [folder, unmount] = mount('512k')
    const made = makeCache({ path: join(folder, 'cache') })
    let stored = 0
    for (let n = 0; n < 20; n++) if (store(made, `/${n}`, body(n))) stored++
    assert.ok(stored > 2 && stored < 20, `${stored} stored`)
    assert.match(made.lines[0]!, /^(pwrite|open|mkdir)\(\) ".*" failed \(28: No space left on device\)$/)
    assert.equal(made.lines.length <= 2, true)
    let found = 0
    for (let n = 0; n < 20; n++) {
      const [verdict, text] = lookUp(made, `/${n}`)
      if (verdict === CACHE_HIT) found++
      assert.equal(text, verdict === CACHE_HIT ? body(n) : '')
    }
    assert.equal(found, stored)
    const left = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
    assert.equal(left.length, stored)
    assertNothingHeld(made)
    unmount()
  })

  test('min_free makes room before the disk is full', { skip: !mountable() }, () => {
    const [folder, unmount] = mount('1m')
    mkdirSync(join(folder, 'cache'))
    const made = makeCache({ path: join(folder, 'cache'), minFree: 300_000 })
    for (let n = 0; n < 40; n++) assert.equal(store(made, `/${n}`, body(n)), true)
    assert.equal(lookUp(made, '/39')[0], CACHE_HIT)
    assert.deepEqual(made.lines, [])
    unmount()
  })
}

function limits(): void {
  test('no descriptors, and files that may not grow', () => {
    for (const limit of ['ulimit -n 40', 'ulimit -f 60']) {
      const command = `${limit}; exec "${process.execPath}" "${SELF}" limited`
      const { stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: 30_000 })
      assert.match(stdout, /ok$/m, `${limit}: ${stdout}${stderr}`)
    }
  })

  test('killed while it stores, it leaves only whole responses under final names', async () => {
    const made = makeCache()
    const child: ChildProcess = spawn(process.execPath, [SELF, 'fill', made.cache.path.path], { stdio: 'ignore' })
    const ended = new Promise((resolve) => child.on('exit', resolve))
    const names = (): string[] => {
      const all = readdirSync(made.folder, { recursive: true, withFileTypes: true })
      return all.filter((one) => one.isFile()).map((one) => one.name)
    }
    await until('some files', () => names().filter((name) => name.length === 32).length > 20)
    child.kill('SIGKILL')
    await ended
    made.zone.words[LOADING] = COLD
    let found = 0
    for (let n = 0; n < 200; n++) {
      const [verdict, text] = lookUp(made, `/${n}`)
      assert.ok(verdict === CACHE_HIT || verdict === CACHE_MISS)
      if (verdict === CACHE_HIT) found++
      assert.equal(text, verdict === CACHE_HIT ? body(n) : '')
    }
    assert.ok(found > 20)
    assert.deepEqual(made.lines, [])
  })
}

/** Mounts a small file system; undoing it is for the end. */
function mount(size: string): [string, () => void] {
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-disk-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder])
  assert.equal(status, 0)
  const unmount = (): void => {
    spawnSync('umount', ['-l', folder])
  }
  after(unmount)
  return [folder, unmount]
}

function mountable(): boolean {
  if (process.geteuid?.() !== 0) return false
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-disk-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', folder])
  if (status === 0) spawnSync('umount', [folder])
  rmSync(folder, { recursive: true })
  return status === 0
}

/** In a process of its own, which may open few files, or write short ones. */
function limited(): void {
  const made = makeCache()
  const uses = []
  let refused = 0
  for (let n = 0; n < 60; n++) {
    const used = use(made, `/${n}`)
    used.open(OPEN)
    const bytes = Buffer.from(body(n))
    if (!begin(made, used) || !used.append(bytes, 0, bytes.length)) refused++
    uses.push(used)
  }
  for (const used of uses) {
    used.complete()
    used.release()
  }
  assert.ok(refused > 0)
  assert.match(made.lines[0]!, /^\w+\(\) ".*" failed \((24: Too many open files|27: File too large)\)$/)
  assertNothingHeld(made)
  for (let n = 0; n < 60; n++) {
    const [verdict, text] = lookUp(made, `/${n}`)
    assert.equal(text, verdict === CACHE_HIT ? body(n) : '')
  }
  process.stdout.write('ok\n')
}

/** In a process of its own, which is killed. */
function fill(path: string): void {
  const made = makeCache({ path })
  for (let n = 0; ; n++) store(made, `/${n % 200}`, body(n % 200))
}

const [, , what, path = ''] = process.argv
if (what === 'limited') limited()
else if (what === 'fill') fill(path)
else {
  refusals()
  disks()
  limits()
}
