/** Where OpenSSL cannot be told what to call, it is not used. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { whyNoSsl } from '../../src/net/engine.ts'
import { foreigner } from '../../src/sys/foreign.ts'

const c = foreigner()
const options = typeof c === 'string' ? { skip: c } : {}

test('without room for what C calls there is a reason, and no exception', options, () => {
  assert.ok(typeof c !== 'string')
  const full = (): void => {
    for (;;) c.callback(() => 0, 'int32_t', [])
  }
  assert.throws(full, /Too many callbacks/)
  assert.match(whyNoSsl(), /^OpenSSL: Too many callbacks/)
})
