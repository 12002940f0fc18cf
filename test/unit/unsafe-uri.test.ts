/** URIs from pages: what they mean, and which lead out of where they belong. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseUnsafeUri } from '../../src/http/message/unsafe-uri.ts'

const parts = { uri: '', args: '' }

const SAFE: Readonly<Record<string, readonly [string, string]>> = {
  '/a': ['/a', ''],
  '/a?b=c?d': ['/a', 'b=c?d'],
  '/a%20b%3fc?%20': ['/a b?c', '%20'],
  '/a..b/...': ['/a..b/...', ''],
  '/a?/../b': ['/a', '/../b'],
}

for (const [text, [uri, args]] of Object.entries(SAFE)) {
  test(text, () => {
    assert.equal(parseUnsafeUri(text, parts), true)
    assert.deepEqual(parts, { uri, args })
  })
}

for (const text of ['', '?a', '..', '../a', '/..', '/a/../b', '/%2e%2e/b', '/a/%2e.', '/a\0', '/a%00']) {
  test(`unsafe: ${JSON.stringify(text)}`, () => assert.equal(parseUnsafeUri(text, parts), false))
}
