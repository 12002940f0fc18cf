/**
 * Runs test/config/said/*.conf: configurations for all modules, each followed by exactly what the check says of it, in nginx's
 * words; lines of ten dashes stand between all of them. `events { }` is added where it is missing. `UPDATE_GOLDEN=1` rewrites what
 * is expected, to be read before it is committed.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatPlain } from '../../src/config/format.ts'
import { diskReader } from '../../src/config/include.ts'
import { modules } from '../../src/modules/index.ts'
import { loadInMaster } from '../../src/process/load-program.ts'
import { masterSettings } from '../../src/process/settings.ts'

const SEPARATOR = '----------\n'
const PATH = '/etc/v/nginx.conf'
const folder = `${import.meta.dirname}/said`

for (const name of readdirSync(folder).sort()) {
  const path = `${folder}/${name}`
  const parts = readFileSync(path, 'utf8').split(SEPARATOR)
  const inputs = parts.filter((_, i) => i % 2 === 0).filter((input) => input !== '')
  const actual = inputs.map(said)
  for (const [i, input] of inputs.entries()) {
    test(`${name}: ${input.trim().split('\n')[0]}`, () => {
      if (!process.env['UPDATE_GOLDEN']) assert.equal(actual[i], parts[2 * i + 1] ?? '')
    })
  }
  if (process.env['UPDATE_GOLDEN']) {
    writeFileSync(path, inputs.map((input, i) => `${input}${SEPARATOR}${actual[i]}`).join(SEPARATOR))
  }
}

function said(input: string): string {
  const text = input.includes('events {') ? input : `${input.trimEnd()} events { }\n`
  const origin = { path: PATH, prefix: '/srv/', globals: '', errorLog: 'stderr' }
  const reader = { ...diskReader, read: (path: string) => (path === PATH ? text : diskReader.read(path)) }
  const { diagnostics, program } = loadInMaster(origin, modules, reader)
  if (program !== undefined) masterSettings(program, '/run/v.pid', diagnostics)
  for (const run of program?.http?.builder.exitHooks ?? []) run()
  return diagnostics.all.map((found) => `${formatPlain(found)}\n`).join('')
}
