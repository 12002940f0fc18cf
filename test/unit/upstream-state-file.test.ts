/** The servers of a group in a file: what is written is what is read. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { ReadContext } from '../../src/config/directive.ts'
import type { Position, Word } from '../../src/config/source.ts'
import { serverLine } from '../../src/upstream/server-line.ts'
import { stateFile, writeState } from '../../src/upstream/state-file.ts'

const reader = stateFile(serverLine(80))
const word = (text: string): Word => ({ text, quoted: false, file: 'nginx.conf', line: 1, column: 1 })

function contextOf(prefix: string): ReadContext {
  return {
    directive: word('state'),
    end: word(';'),
    context: 'upstream',
    confPrefix: prefix,
    prefix,
    fail: (message: string, at?: Position) => {
      throw new Error(`${message} in ${path.basename(at?.file ?? '')}:${at?.line}`)
    },
    warn: () => {},
  }
}

const folder = (): string => fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-test-'))

test('what is written is read again, and written the same', () => {
  const dir = folder()
  const lines = [
    'server 127.0.0.1:8080;',
    'server [::1]:81 weight=5 max_conns=7 max_fails=0 fail_timeout=30s slow_start=1500ms route=a down;',
    'server unix:/tmp/a.sock backup;',
    'server a.test:8080 resolve drain;',
    'server a.test service=_http._tcp resolve;',
    'server 127.0.0.1 "route=x \\"y\\\\;";',
  ]
  const text = lines.map((line) => `${line}\n`).join('')
  fs.writeFileSync(path.join(dir, 'u.conf'), text)
  const state = reader.read([word('u.conf')], contextOf(dir))
  assert.equal(state.path, path.join(dir, 'u.conf'))
  assert.equal(state.servers.length, lines.length)
  writeState(path.join(dir, 'v.conf'), state.servers)
  assert.equal(fs.readFileSync(path.join(dir, 'v.conf'), 'utf8'), text)
  assert.deepEqual(fs.readdirSync(dir).toSorted(), ['u.conf', 'v.conf'])
  fs.rmSync(dir, { recursive: true })
})

test('a file that is not there is empty; a bad one is refused at its line', () => {
  const dir = folder()
  const at = contextOf(dir)
  assert.deepEqual(reader.read([word('none.conf')], at).servers, [])
  const cases: readonly (readonly [string, RegExp])[] = [
    ['server 127.0.0.1;\nlisten 80;\n', /^Error: unexpected "listen" in a state file in u\.conf:2$/],
    ['server 127.0.0.1 what;\n', /^Error: invalid parameter "what" in u\.conf:1$/],
    ['server;\n', /^Error: invalid number of arguments in "server" directive in u\.conf:1$/],
    ['server 127.0.0.1', /^Error: unexpected end of file, expecting ";" or "}" in u\.conf:1$/],
  ]
  for (const [text, message] of cases) {
    fs.writeFileSync(path.join(dir, 'u.conf'), text)
    assert.throws(() => reader.read([word('u.conf')], at), message, text)
  }
  fs.rmSync(dir, { recursive: true })
})
