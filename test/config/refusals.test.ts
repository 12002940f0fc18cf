/** What is said of directives that are refused is said of directives that are refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import known from '../../src/config/known-directives.json' with { type: 'json' }
import { refusalHint } from '../../src/config/refusals.ts'
import { modules } from '../../src/modules/index.ts'

const declared = new Set(modules.flatMap(({ directives }) => Object.keys(directives)))

test('each hint belongs to directives that nginx has and Viaduct has not', () => {
  const hints = new Set<string>()
  for (const name of Object.keys(known)) {
    const hint = refusalHint(name)
    if (hint === undefined) continue
    assert.ok(!declared.has(name), name)
    hints.add(hint)
  }
  assert.equal(hints.size, 9)
  for (const name of ['geoip_country', 'xslt_stylesheet', 'perl_set', 'http3', 'quic_retry'])
    assert.ok(refusalHint(name))
  assert.equal(refusalHint('stream'), undefined)
})
