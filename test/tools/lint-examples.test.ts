/** Every check finds its bad example and leaves its good one alone, and what it mends is mended. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHECKS } from '../../src/tools/lint/all.ts'
import type { Finding } from '../../src/tools/lint/check.ts'
import { lint } from '../../src/tools/lint/engine.ts'
import { applyEdits, documents, placeFix } from '../../src/tools/lint/fix.ts'
import { sourceOf } from '../../src/tools/lint/source.ts'
import { loadModel } from '../../src/tools/model/model.ts'

const FILE = '/viaduct-lint-example/nginx.conf'

function find(text: string, id: string): Finding[] {
  return lint(loadModel(sourceOf(text, FILE)), { only: [id], skip: [] })
}

test('the names of checks are unique', () => {
  assert.equal(new Set(CHECKS.map(({ id }) => id)).size, CHECKS.length)
})

for (const { id, bad, good } of CHECKS) {
  // Those look at certificates, which need files: see lint-certificates.test.ts.
  if (id.startsWith('certificate_')) continue
  test(id, () => {
    const found = find(bad, id)
    assert.notEqual(found.length, 0, 'nothing is found in the bad example')
    assert.deepEqual(
      find(good, id).map(({ message }) => message),
      [],
    )
    for (const { fix } of found) {
      if (fix === undefined) continue
      const edits = placeFix(
        fix,
        documents((file) => (file === FILE ? bad : undefined)),
      )
      assert.ok(edits, 'the place of the fix is found')
      const mended = applyEdits(bad, edits)
      assert.deepEqual(
        find(mended, id).map(({ message }) => message),
        [],
        mended,
      )
      assert.deepEqual(
        find(mended, 'configuration_error').map(({ message }) => message),
        [],
        mended,
      )
    }
  })
}
