/** The error log: line format, levels, several targets, debug_connection, failures, reopening and adopting. */
import assert from 'node:assert/strict'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { errnoCode, errnoText } from '../../src/lib/errno.ts'
import {
  DEBUG,
  ERROR,
  ErrorLog,
  fileTarget,
  INFO,
  type LogContext,
  levelOf,
  NOTICE,
  NULL_LOG,
  WARN,
} from '../../src/log/error-log.ts'
import { LOG_OK, LogFile, LogFiles } from '../../src/log/log-files.ts'

const LINE = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[error\] (\d+)#(\d+): \*7 no luck, client: 127\.0\.0\.1\n$/

function context(debugConnection = false): LogContext {
  return { connection: 7, debugConnection, describe: () => ', client: 127.0.0.1' }
}

function inFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-log-'))
  try {
    run(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

class Memory {
  lines: string[] = []
  writeLine(level: number, line: string): void {
    this.lines.push(level + line.slice(line.indexOf(': ') + 1))
  }
}

test('a message is one line, whatever it is made of', () => {
  const memory = new Memory()
  const log = new ErrorLog([{ level: DEBUG, target: memory }])
  for (const level of [ERROR, DEBUG]) {
    memory.lines = []
    log.write(level, 'a\nb\r\0c\x1b[31m\x7f\td', { ...context(), describe: () => ', request: "GET /\n"' })
    const told = level === DEBUG ? '' : ', request: "GET /\\x0A"'
    assert.deepEqual(memory.lines, [`${level} *7 a\\x0Ab\\x0D\\x00c\\x1B[31m\\x7F\\x09d${told}\n`])
  }
})

test('writes lines in nginx form, and creates the file before the first', () => {
  inFolder((folder) => {
    const files = new LogFiles()
    const path = join(folder, 'error.log')
    const file = files.open(path)
    assert.ok(existsSync(path))
    assert.equal(files.open(path), file)
    const log = new ErrorLog([{ level: ERROR, target: fileTarget(file) }])
    log.write(ERROR, 'no luck', context())
    log.write(WARN, 'below the level')
    const found = LINE.exec(readFileSync(path, 'latin1'))
    assert.equal(found?.[1], String(process.pid))
    assert.equal(found?.[2], String(process.pid), 'the main thread has the number of its process')
    files.close()
  })
})

test('every sink gets what its level wants', () => {
  const few = new Memory()
  const many = new Memory()
  const log = new ErrorLog([
    { level: ERROR, target: few },
    { level: INFO, target: many },
  ])
  assert.equal(log.level, INFO)
  log.write(ERROR, 'a')
  log.write(NOTICE, 'b')
  log.write(DEBUG, 'c')
  assert.deepEqual(few.lines, ['4 a\n'])
  assert.deepEqual(many.lines, ['4 a\n', '6 b\n'])
})

test('debug_connection overrides the levels; debug lines carry no context', () => {
  const memory = new Memory()
  const log = new ErrorLog([{ level: ERROR, target: memory }])
  assert.ok(!log.enabled(DEBUG, context()))
  assert.ok(log.enabled(DEBUG, context(true)))
  log.write(DEBUG, 'hidden', context())
  log.write(DEBUG, 'shown', context(true))
  log.write(INFO, 'also', context(true))
  assert.deepEqual(memory.lines, ['8 *7 shown\n', '7 *7 also, client: 127.0.0.1\n'])
})

test('cuts long lines and keeps bytes as they are', () => {
  inFolder((folder) => {
    const files = new LogFiles()
    const path = join(folder, 'error.log')
    const log = new ErrorLog([{ level: ERROR, target: fileTarget(files.open(path)) }])
    log.write(ERROR, 'bytes \xff\x80')
    log.write(ERROR, 'text €')
    log.write(ERROR, 'x'.repeat(5000))
    const [bytes, text, long] = readFileSync(path, 'latin1').split('\n')
    assert.ok(bytes!.endsWith('bytes \xff\x80'))
    assert.ok(text!.endsWith('text \xe2\x82\xac'))
    assert.equal(long!.length, 2047)
    files.close()
  })
})

test('level names', () => {
  assert.equal(levelOf('emerg'), 1)
  assert.equal(levelOf('debug'), DEBUG)
  assert.equal(levelOf('debug_http'), DEBUG)
  assert.equal(levelOf('debug_x'), undefined)
  assert.equal(levelOf(''), undefined)
  assert.equal(levelOf('warning'), undefined)
  NULL_LOG.write(1, 'goes nowhere')
})

test('a failing descriptor never throws', () => {
  const fd = openSync('/dev/null', 'a')
  closeSync(fd)
  assert.equal(new LogFile('/dev/null', fd).write('x\n'), 'EBADF')
  const full = new LogFile('/dev/full', openSync('/dev/full', 'a'))
  assert.equal(full.write('x\n'), 'ENOSPC')
  assert.equal(full.write('x\n'), LOG_OK, 'a full disk is not tried again in the same second')
  closeSync(full.fd)
})

test('reopen goes on in a new file after a rename, flushing buffers into the old one', () => {
  inFolder((folder) => {
    const files = new LogFiles()
    const path = join(folder, 'access.log')
    const file = files.open(path)
    const buffer = { epoch: 0, flush: () => void file.write('late\n'), retire() {} }
    file.buffers.add(buffer)
    file.write('old\n')
    renameSync(path, path + '.1')
    assert.deepEqual(files.reopen(), [])
    file.buffers.delete(buffer)
    file.write('new\n')
    files.closeRetired()
    assert.equal(readFileSync(path + '.1', 'latin1'), 'old\nlate\n')
    assert.equal(readFileSync(path, 'latin1'), 'new\n')
    files.close()
  })
})

test('a file that cannot be reopened stays in use and is reported', () => {
  inFolder((folder) => {
    const files = new LogFiles()
    const file = files.open(join(folder, 'a.log'))
    const moved = folder + '.moved'
    renameSync(folder, moved)
    const [failure] = files.reopen()
    assert.equal(errnoCode(failure?.error), 'ENOENT')
    assert.equal(file.write('still\n'), LOG_OK)
    renameSync(moved, folder)
    assert.equal(readFileSync(file.path, 'latin1'), 'still\n')
    files.close()
  })
})

test('another registry adopts descriptors, and follows when the owner reopens', () => {
  inFolder((folder) => {
    const owner = new LogFiles()
    const worker = new LogFiles()
    const path = join(folder, 'a.log')
    owner.open(path)
    worker.adopt(owner.descriptors())
    const file = worker.open(path)
    assert.equal(file.fd, owner.open(path).fd)
    renameSync(path, path + '.1')
    owner.reopen()
    assert.deepEqual(worker.reopen(), [], 'adopted files are reopened by their owner only')
    worker.adopt(owner.descriptors())
    owner.closeRetired()
    file.write('x\n')
    worker.close()
    assert.equal(owner.open(path).write('y\n'), LOG_OK)
    assert.equal(readFileSync(path, 'latin1'), 'x\ny\n')
    owner.keepOnly(new Set())
    owner.closeRetired()
  })
})

test('errno texts are the ones of the C library', () => {
  assert.equal(errnoText('ENOENT'), '(2: No such file or directory)')
  assert.equal(errnoText(Object.assign(new Error('x'), { code: 'EACCES' })), '(13: Permission denied)')
  assert.equal(errnoText(new Error('strange')), '(strange)')
})
