/** How near a process is to its last descriptor. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { descriptorsMax, hasDescriptors } from '../../src/net/descriptors.ts'

const SKIP = process.platform !== 'linux'

test('a low number that is free does not mean that there are enough', { skip: SKIP }, () => {
  assert.ok(descriptorsMax() > 20)
  const open = Array.from({ length: 40 }, () => fs.openSync('/dev/null', 'r'))
  const used = fs.readdirSync('/proc/self/fd').length
  assert.equal(hasDescriptors(0, used + 1), true)
  fs.closeSync(open.shift()!)
  assert.equal(hasDescriptors(0, used - 1), false)
  assert.equal(hasDescriptors(0, used), true)
  assert.equal(hasDescriptors(10, used + 1), false)
  // What is asked for is more than there can ever be: a half of that will do.
  assert.equal(hasDescriptors(1000, used + 60), true)
  for (const fd of open) fs.closeSync(fd)
})
