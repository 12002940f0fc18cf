/** Logs that a new configuration no longer names: written to by old requests, not opened anew, closed when they have gone. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type AccessLog, openAccessLog } from '../../src/log/access-log.ts'
import { NULL_LOG } from '../../src/log/error-log.ts'
import { LogFiles } from '../../src/log/log-files.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('globalThis.gc') as () => void
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-logs-'))
after(() => fs.rmSync(folder, { recursive: true }))
const read = (name: string): string => fs.readFileSync(name, 'latin1')

/** Collects until the condition holds; the runner's own time-out ends what never does. */
async function collectUntil(condition: () => boolean): Promise<void> {
  while (!condition()) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function isOpen(fd: number): boolean {
  try {
    fs.fstatSync(fd)
    return true
  } catch {
    return false
  }
}

test('a thread tells of a descriptor when nobody has it any more', async () => {
  const one = path.join(folder, 'one.log')
  const two = path.join(folder, 'two.log')
  const owner = new LogFiles()
  const worker = new LogFiles()
  const unheld: number[] = []
  worker.onUnheld = (fd) => unheld.push(fd)
  for (const name of [one, two]) owner.open(name)
  const { fd } = owner.open(one)
  worker.adopt(owner.descriptors())
  const held: { log?: AccessLog } = { log: openAccessLog(spec(one), worker, NULL_LOG) }
  assert.deepEqual(owner.handOver(new Set([two])), [fd])
  worker.settle(new Set([two]))
  assert.ok(worker.holds(fd))
  fs.renameSync(one, `${one}.1`)
  owner.reopen()
  worker.adopt(owner.descriptors())
  collect()
  held.log!.write('late\n')
  assert.equal(read(`${one}.1`), 'late\n')
  assert.ok(!fs.existsSync(one))
  assert.deepEqual(unheld, [])
  delete held.log
  await collectUntil(() => unheld.length > 0)
  assert.deepEqual(unheld, [fd])
  assert.ok(!worker.holds(fd))
  assert.ok(isOpen(fd), 'who owns it closes it')
  fs.closeSync(fd)
  owner.close()
})

test('a thread with descriptors of its own closes them', async () => {
  const files = new LogFiles()
  const { fd } = files.open(path.join(folder, 'own.log'))
  files.settle(new Set())
  await collectUntil(() => !isOpen(fd))
  assert.ok(!files.holds(fd))
})

test('what is kept back is written when the log, or its buffer, is named no more', () => {
  const name = path.join(folder, 'buffered.log')
  const gone = path.join(folder, 'gone.log')
  const files = new LogFiles()
  const large = openAccessLog(spec(name, 4096), files, NULL_LOG)
  const removed = openAccessLog(spec(gone, 4096), files, NULL_LOG)
  large.write('1\n')
  removed.write('1\n')
  files.epoch++
  assert.equal(openAccessLog(spec(name, 4096), files, NULL_LOG), large)
  files.settle(new Set([name]))
  assert.equal(read(name), '')
  assert.equal(read(gone), '1\n')
  removed.write('2\n')
  assert.equal(read(gone), '1\n2\n')
  files.epoch++
  const small = openAccessLog(spec(name, 64), files, NULL_LOG)
  files.settle(new Set([name]))
  small.write('3\n')
  large.write('2\n')
  assert.equal(read(name), '1\n2\n')
  files.flush()
  assert.equal(read(name), '1\n2\n3\n')
  files.close()
})

function spec(name: string, bufferSize = 0) {
  return { path: name, bufferSize, flushMs: 0, gzipLevel: 0 }
}
