/** Where there is no io_uring, or no way to call it, handles serve, and it is said why. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { whyNoRing } from '../../src/net/engine.ts'
import { runViaduct, startViaduct } from '../harness/server.ts'

const skip = whyNoRing()
const options = skip === '' ? {} : { skip }

/** A filter of system calls that forbids io_uring_setup, as that of most containers does; threads and children have it too. */
const FORBID = (koffi: string): string => `
import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
if (isMainThread) {
  const koffi = createRequire(import.meta.url)(${JSON.stringify(koffi)})
  const prctl = koffi.load(null).func('prctl', 'int', ['int', 'int64_t', 'void*', 'int64_t', 'int64_t'])
  const filter = Buffer.allocUnsafeSlow(32)
  const rows = [[0x20, 0, 0, 0], [0x15, 0, 1, 425], [0x06, 0, 0, 0x00050001], [0x06, 0, 0, 0x7fff0000]]
  for (const [i, [code, jt, jf, k]] of rows.entries()) {
    filter.writeUInt16LE(code, i * 8)
    filter[i * 8 + 2] = jt
    filter[i * 8 + 3] = jf
    filter.writeUInt32LE(k, i * 8 + 4)
  }
  const program = Buffer.allocUnsafeSlow(16)
  program.writeUInt16LE(rows.length, 0)
  program.writeBigUInt64LE(BigInt(koffi.address(filter)), 8)
  if (prctl(38, 1, null, 0, 0) !== 0 || prctl(22, 2, program, 0, 0) !== 0) throw new Error('no filter')
}
`

/** Hides the package. */
const HIDE = `
import Module from 'node:module'
const resolve = Module._resolveFilename
Module._resolveFilename = function (name, ...rest) {
  if (name !== 'koffi') return resolve.call(this, name, ...rest)
  throw Object.assign(new Error('not here'), { code: 'MODULE_NOT_FOUND' })
}
`

for (const { what, preload, why, machine } of [
  {
    what: 'the kernel forbids it',
    preload: (): string => FORBID(createRequire(import.meta.url).resolve('koffi')),
    why: 'io_uring_setup() failed (1: Operation not permitted)',
    machine: true,
  },
  { what: 'koffi is missing', preload: (): string => HIDE, why: 'the package koffi is not installed', machine: false },
]) {
  test(`handles serve when ${what}`, options, async () => {
    const files = { 'preload.mjs': preload() }
    const env = { NODE_OPTIONS: '--import=./preload.mjs' }
    await using server = await startViaduct(
      'events { use io_uring; } worker_processes 2; http { server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 ok; } } }',
      { files, env, cwd: true },
    )
    assert.match(await server.raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /ok$/)
    assert.match(server.errorLog(), /\[notice\] .*using the "epoll" event method\n/)
    const notices = server.errorLog().match(/\[notice\] .*no io_uring: .*/g)
    assert.equal(notices?.length, 1)
    assert.ok(notices[0].endsWith(why), notices[0])
    const { stderr } = await runViaduct(['-V'], { NODE_OPTIONS: `--import=${server.prefix.path('preload.mjs')}` })
    assert.ok(stderr.includes(`\nevent methods: epoll (no io_uring: ${why})\n`), stderr)
    const told = `viaduct: [notice] no io_uring: ${why}; sockets are driven by epoll\n`
    for (const [use, tells] of [
      ['use io_uring;', machine],
      ['', machine],
      ['use epoll;', false],
    ] as const) {
      server.prefix.write('checked.conf', `events { ${use} } http { }`)
      const checked = await runViaduct(['-t', '-c', server.prefix.path('checked.conf')], {
        NODE_OPTIONS: `--import=${server.prefix.path('preload.mjs')}`,
      })
      assert.match(checked.stderr, / test is successful\n$/)
      assert.equal(checked.stderr.includes(told), tells, `${use}: ${checked.stderr}`)
    }
    await server.reload()
    assert.match(await server.raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /ok$/)
  })
}
