/** Access-log writers: direct, buffered, compressed, shared buffers, failures, and paths with variables. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { clock, SYSTEM_TIME } from '../../src/lib/clock.ts'
import { type AccessLogSpec, openAccessLog } from '../../src/log/access-log.ts'
import { ERROR, ErrorLog } from '../../src/log/error-log.ts'
import { escapeDefault, escapeJson } from '../../src/log/log-escape.ts'
import { LogFiles } from '../../src/log/log-files.ts'
import { VariableLog } from '../../src/log/variable-log.ts'

let folder = ''
let files = new LogFiles()
let complaints: string[] = []
const log = new ErrorLog([
  { level: ERROR, target: { writeLine: (_, line) => complaints.push(line.slice(line.indexOf('[')).trimEnd()) } },
])

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'viaduct-access-'))
  files = new LogFiles()
  complaints = []
})

afterEach(() => {
  files.close()
  rmSync(folder, { recursive: true })
  mock.timers.reset()
  clock.setSource(SYSTEM_TIME)
})

function spec(parameters: Partial<AccessLogSpec> = {}): AccessLogSpec {
  return { path: join(folder, 'access.log'), bufferSize: 0, flushMs: 0, gzipLevel: 0, ...parameters }
}

const read = (name = 'access.log') => readFileSync(join(folder, name), 'latin1')

test('without a buffer each line is there at once, as bytes', () => {
  const access = openAccessLog(spec(), files, log)
  assert.equal(read(), '')
  access.write('a\xff\n')
  assert.equal(read(), 'a\xff\n')
  access.write('b\n')
  assert.equal(read(), 'a\xff\nb\n')
})

test('a buffer is written when the next line does not fit', () => {
  const access = openAccessLog(spec({ bufferSize: 10 }), files, log)
  access.write('12345\n')
  access.write('678\n')
  assert.equal(read(), '')
  access.write('9\n')
  assert.equal(read(), '12345\n678\n')
  access.write('longer than the buffer\n')
  assert.equal(read(), '12345\n678\n9\nlonger than the buffer\n')
  access.write('end\n')
  files.flush()
  assert.ok(read().endsWith('end\n'))
})

test('flush= writes a line when it has waited long enough', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const access = openAccessLog(spec({ bufferSize: 1000, flushMs: 5000 }), files, log)
  access.write('a\n')
  mock.timers.tick(3000)
  access.write('b\n')
  mock.timers.tick(1999)
  assert.equal(read(), '')
  mock.timers.tick(1)
  assert.equal(read(), 'a\nb\n')
  access.write('c\n')
  mock.timers.tick(5000)
  assert.equal(read(), 'a\nb\nc\n')
})

test('gzip writes members that read as one file', () => {
  const access = openAccessLog(spec({ bufferSize: 20, gzipLevel: 1 }), files, log)
  for (let i = 10; i < 30; i++) access.write(`line ${i}\n`)
  access.flush()
  const text = gunzipSync(readFileSync(join(folder, 'access.log'))).toString()
  assert.equal(text.split('\n').length, 21)
  assert.ok(text.startsWith('line 10\nline 11\n'))
})

test('logs of one path share their buffer, and reopening flushes it into the old file', () => {
  const one = openAccessLog(spec({ bufferSize: 100 }), files, log)
  const two = openAccessLog(spec({ bufferSize: 100 }), files, log)
  const other = openAccessLog(spec({ bufferSize: 200 }), files, log)
  assert.equal(one, two)
  assert.notEqual(one, other)
  one.write('a\n')
  other.write('b\n')
  renameSync(join(folder, 'access.log'), join(folder, 'old.log'))
  files.reopen()
  one.write('c\n')
  files.flush()
  assert.equal(read('old.log'), 'a\nb\n')
  assert.equal(read(), 'c\n')
})

test('a log that cannot be written complains once a minute', () => {
  const time = { at: 1_000_000_000 }
  clock.setSource({ wall: () => time.at, monotonic: () => 0, offsetMinutes: () => 0 })
  const access = openAccessLog(spec({ path: '/dev/full' }), files, log)
  for (let second = 0; second < 61; second++) {
    access.write('a\n')
    time.at += 1000
    clock.update()
  }
  const complaint = /^\[alert\] [\d#]+: write\(\) to "\/dev\/full" failed \(28: No space left on device\)$/
  assert.equal(complaints.length, 2)
  for (const line of complaints) assert.match(line, complaint)
})

test('a path with variables is opened for each line', () => {
  const access = new VariableLog()
  access.write(join(folder, 'a.log'), 'a\n', log)
  access.write(join(folder, 'a.log'), 'b\xff\n', log)
  assert.equal(read('a.log'), 'a\nb\xff\n')
  access.write(join(folder, 'no/a.log'), 'c\n', log)
  assert.match(complaints[0]!, /^\[crit\] .*: open\(\) ".*no\/a.log" failed \(2: No such file or directory\)$/)
})

test('a full disk is told of once a minute where paths have variables', () => {
  const time = { at: 1e12 }
  clock.setSource({ wall: () => time.at, monotonic: () => time.at, offsetMinutes: () => 0 })
  clock.update()
  const access = new VariableLog()
  for (let i = 0; i < 5; i++) access.write('/dev/full', 'a\n', log)
  assert.equal(complaints.length, 1)
  assert.match(complaints[0]!, /^\[alert\] .*: write\(\) to "\/dev\/full" failed \(28: No space left on device\)$/)
  time.at += 60_000
  clock.update()
  access.write('/dev/full', 'a\n', log)
  assert.equal(complaints.length, 2)
})

test('open_log_file_cache keeps files, notices replaced ones, and closes what is not used', () => {
  const time = { at: 0 }
  clock.setSource({ wall: () => 1e12, monotonic: () => time.at, offsetMinutes: () => 0 })
  const pass = (ms: number) => {
    time.at += ms
    clock.update()
  }
  const access = new VariableLog({ max: 2, inactiveMs: 10_000, minUses: 2, validMs: 60_000 })
  const write = (name: string, line: string) => access.write(join(folder, name), line, log)
  const rename = (name: string) => renameSync(join(folder, name), join(folder, name + '.old'))

  write('a.log', '1\n')
  rename('a.log')
  write('a.log', '2\n')
  assert.equal(read('a.log.old'), '1\n', 'one use is not enough to be kept')
  rename('a.log')
  write('a.log', '3\n')
  assert.equal(read('a.log.old'), '2\n3\n', 'kept open, although renamed')
  for (let i = 0; i < 8; i++) {
    pass(9000)
    write('a.log', 'x\n')
  }
  assert.ok(read('a.log').endsWith('x\n'), 'found to be replaced after valid=')
  pass(10_001)
  write('b.log', '1\n')
  rename('a.log')
  write('a.log', 'new\n')
  assert.equal(read('a.log'), 'new\n', 'closed after inactive=')
  access.close()
  assert.deepEqual(complaints, [])
})

test('a path that cannot be opened pushes nothing out of open_log_file_cache', () => {
  const access = new VariableLog({ max: 1, inactiveMs: 10_000, minUses: 1, validMs: 60_000 })
  access.write(join(folder, 'a.log'), '1\n', log)
  access.write(join(folder, 'no/b.log'), '1\n', log)
  renameSync(join(folder, 'a.log'), join(folder, 'a.log.old'))
  access.write(join(folder, 'a.log'), '2\n', log)
  assert.equal(read('a.log.old'), '1\n2\n')
  access.close()
})

test('a folder in the place of a log is reported', () => {
  mkdirSync(join(folder, 'd'))
  new VariableLog({ max: 2, inactiveMs: 10, minUses: 1, validMs: 10 }).write(join(folder, 'd'), 'a\n', log)
  assert.match(complaints[0]!, /failed \(21: Is a directory\)/)
  assert.ok(existsSync(join(folder, 'd')))
})

test('escaping', () => {
  const plain = 'plain ~ text'
  assert.equal(escapeDefault(plain), plain)
  assert.equal(escapeDefault('a"b\\c\n\x7f\x80\xff\x00'), 'a\\x22b\\x5Cc\\x0A\\x7F\\x80\\xFF\\x00')
  assert.equal(escapeJson(plain), plain)
  assert.equal(
    escapeJson('a"b\\c\n\r\t\b\f\x01\x1f\x7f\xc3\xa9'),
    'a\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001F\x7f\xc3\xa9',
  )
  for (let byte = 0; byte < 256; byte++) {
    const c = String.fromCharCode(byte)
    assert.equal(JSON.parse(`"${escapeJson(c)}"`), c)
  }
})
