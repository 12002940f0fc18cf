/** Patterns as the C library reads them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expandGlob } from '../../src/config/glob.ts'

const NAMES = ['b.conf', 'a.conf', 'B.conf', '.hidden', 'a-b', 'a{1,2}', 'x[y', 'é', 'a*c', '-', ']']
const folders: Readonly<Record<string, readonly string[]>> = {
  '/d/': NAMES,
  '.': ['here'],
  '/': ['d', 'e'],
  '/e/': ['b.conf'],
}

function glob(pattern: string): readonly string[] {
  const exists = (path: string) => Object.values(folders).some((names) => names.includes(path.replace(/.*\//, '')))
  return expandGlob(pattern, (folder) => folders[folder] ?? [], exists).map((path) => path.replace('/d/', ''))
}

test('stars, question marks and sets', () => {
  assert.deepEqual(glob('/d/*.conf'), ['B.conf', 'a.conf', 'b.conf'])
  assert.deepEqual(glob('/d/?.conf'), ['B.conf', 'a.conf', 'b.conf'])
  assert.deepEqual(glob('/d/[a-b].conf'), ['a.conf', 'b.conf'])
  assert.deepEqual([glob('/d/[!a].conf'), glob('/d/[^ab].conf')], [['B.conf', 'b.conf'], ['B.conf']])
  assert.deepEqual([glob('/d/[]]'), glob('/d/[x-]'), glob('/d/[z-a]*')], [[']'], ['-'], []])
})

test('hidden names want a dot', () => {
  assert.deepEqual([glob('/d/.h*'), glob('/d/*idden'), glob('/d/?hidden')], [['.hidden'], [], []])
})

test('braces and lone brackets are ordinary, a backslash takes away meaning', () => {
  assert.deepEqual([glob('/d/a{1,2}*'), glob('/d/{a,b}.con?'), glob('/d/x[*')], [['a{1,2}'], [], ['x[y']])
  assert.deepEqual([glob('/d/a\\*?'), glob('/d/\\?*')], [['a*c'], []])
})

test('a pattern may stand in any part of the path', () => {
  assert.deepEqual(glob('/*/b.conf'), ['b.conf', '/e/b.conf'])
  assert.deepEqual(glob('/*/nothing'), [])
  assert.deepEqual(glob('h*'), ['here'])
})
