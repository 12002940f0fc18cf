/** Certificates that variables name: how long they are kept, and when they are read anew. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, mock, test } from 'node:test'
import { clock } from '../../src/lib/clock.ts'
import { sslErrorText } from '../../src/net/tls-wire-verify.ts'
import { openProblem, PemFiles } from '../../src/tls/pem-files.ts'

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-pem-'))
after(() => fs.rmSync(dir, { recursive: true }))
mock.timers.enable({ apis: ['Date'], now: 1_000_000_000 })
const START = 1_000_000_000

function write(name: string, text: string): string {
  const file = path.join(dir, name)
  // Another file, so that it differs although the clock stands.
  fs.rmSync(file, { force: true })
  fs.writeFileSync(file, text)
  return file
}

function at(seconds: number): void {
  mock.timers.setTime(START + seconds * 1000)
  clock.update()
}

const problem = (file: string, errno: string) => `${path.basename(file)} ${errno}`

test('without a cache every request reads', () => {
  const files = new PemFiles(undefined, problem)
  assert.equal(files.read(write('a', 'one')).text, 'one')
  assert.equal(files.read(write('a', 'two')).text, 'two')
  assert.deepEqual(files.read(path.join(dir, 'none')), { text: '', problem: 'none ENOENT' })
})

test('a kept one is looked at again when its time is over, and read when it has changed', () => {
  at(0)
  const files = new PemFiles({ max: 10, validS: 60, inactiveS: 1000 }, problem)
  files.read(write('a', 'one'))
  const file = write('a', 'two!')
  fs.utimesSync(file, 1, 1)
  at(60)
  assert.equal(files.read(file).text, 'one')
  at(61)
  assert.equal(files.read(file).text, 'two!')
  fs.rmSync(file)
  at(121)
  assert.equal(files.read(file).text, 'two!')
  at(122)
  assert.equal(files.read(file).problem, 'a ENOENT')
})

test('the one used longest ago goes when there are too many, and what nobody uses goes anyway', () => {
  at(0)
  const files = new PemFiles({ max: 2, validS: 1000, inactiveS: 10 }, problem)
  const [a, b, c] = ['a', 'b', 'c'].map((name) => write(name, 'old'))
  files.read(a!)
  files.read(b!)
  files.read(a!)
  files.read(c!)
  for (const name of ['a', 'b', 'c']) write(name, 'new')
  assert.equal(files.read(a!).text, 'old')
  assert.equal(files.read(c!).text, 'old')
  assert.equal(files.read(b!).text, 'new')
})

test('errors are told as OpenSSL tells them', () => {
  assert.equal(
    openProblem('/x', 'EACCES', 13, 'Permission denied'),
    'BIO_new_file() failed (SSL: error:8000000D:system library::Permission denied:calling fopen(/x, r) error:10080002:BIO routines::system lib)',
  )
  const text = (message: string) => sslErrorText(new Error(message))
  assert.equal(
    text(
      '80A:error:0A000410:SSL routines:ssl3_read_bytes:ssl/tls alert handshake failure:../rec.c:916:SSL alert number 40\n',
    ),
    'error:0A000410:SSL routines::ssl/tls alert handshake failure:SSL alert number 40',
  )
  assert.equal(
    text('80A:error:0A00010B:SSL routines:tls_validate:wrong version number:../tls.c:84:\n'),
    'error:0A00010B:SSL routines::wrong version number',
  )
  assert.equal(text('error:0480006C:PEM routines::no start line'), 'error:0480006C:PEM routines::no start line')
  assert.equal(text('what else'), 'what else')
})
