/** Archives can be read by others, and packing the extension for VS Code makes one. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { zip } from '../../scripts/zip.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const FAKE_EDITOR = `const any = new Proxy(class {}, { get: (of, name) => (name === 'prototype' ? of.prototype : any) })
module.exports = any`

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

test('the extension for VS Code', (t) => {
  if (!fs.existsSync(`${ROOT}editors/vscode/node_modules`)) return t.skip('npm ci was not run in editors/vscode')
  inFolder((dir) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', `${ROOT}scripts/vscode-extension.ts`, `${dir}/x.vsix`],
      { encoding: 'utf8' },
    )
    assert.equal(status, 0, stderr)
    const found = contents(`${dir}/x.vsix`)
    if (found === undefined) return t.skip('no Python here')
    assert.ok(found['extension.vsixmanifest']?.includes('Id="viaduct-nginx"'))
    const manifest = JSON.parse(found['extension/package.json']!)
    // The editor gives the extension its own module; everything else is in the file.
    const used = new Set(
      [...found['extension/dist/extension.cjs']!.matchAll(/require\("([^"]+)"\)/g)].map((match) => match[1]!),
    )
    assert.ok(used.delete('vscode'))
    for (const name of used) assert.ok(isBuiltin(name), name)
    // It loads where there is an editor's module, whatever that has.
    fs.mkdirSync(`${dir}/node_modules/vscode`, { recursive: true })
    fs.writeFileSync(`${dir}/node_modules/vscode/index.js`, FAKE_EDITOR)
    fs.writeFileSync(`${dir}/extension.cjs`, found['extension/dist/extension.cjs']!)
    const extension = createRequire(`${dir}/`)('./extension.cjs')
    assert.deepEqual([typeof extension.activate, typeof extension.deactivate], ['function', 'function'])
    assert.ok(found[`extension/${manifest.main.slice(2)}`])
    for (const { path: file } of manifest.contributes.grammars)
      assert.equal(JSON.parse(found[path.join('extension', file)]!).scopeName, 'source.nginx')
  })
})
