/** Archives can be read by others. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { zip } from '../../scripts/zip.ts'

function inFolder(run: (dir: string) => void): void {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-zip-'))
  try {
    run(dir)
  } finally {
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

/** The names and contents as Python reads them. */
function contents(file: string): Record<string, string> | undefined {
  const script =
    'import sys,json,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(json.dumps({n:z.read(n).decode() for n in z.namelist()}))'
  const { status, stdout, stderr, error } = spawnSync('python3', ['-c', script, file], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  if (error !== undefined) return undefined
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

test('an archive', (t) => {
  inFolder((dir) => {
    fs.writeFileSync(
      `${dir}/a.zip`,
      zip([
        ['a/ä.txt', Buffer.from('text'.repeat(1000))],
        ['b', Buffer.alloc(0)],
      ]),
    )
    const found = contents(`${dir}/a.zip`)
    if (found === undefined) return t.skip('no Python here')
    assert.deepEqual(found, { 'a/ä.txt': 'text'.repeat(1000), b: '' })
  })
})
