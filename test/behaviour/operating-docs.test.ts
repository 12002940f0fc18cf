/** Every configuration of docs/OPERATING.md is accepted and serves, with its addresses on free ports. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { buildDashboard } from '../../scripts/dashboard.ts'
import { startViaduct } from '../harness/server.ts'

const PAGE = fs.readFileSync(fileURLToPath(new URL('../../docs/OPERATING.md', import.meta.url)), 'utf8')
const KEYS = JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] })

const configurations = [...PAGE.matchAll(/```nginx\n# (.+)\n([\s\S]*?)```/g)]
/** What a client without credentials gets where everybody may ask, by the first line of the block. */
const ANSWERS: Readonly<Record<string, readonly [path: string, status: number]>> = {
  monitoring: ['/metrics', 200],
  'back ends': ['/api/', 200],
  dashboard: ['/dashboard.html', 200],
  lists: ['/', 204],
  tokens: ['/api/', 401],
  logins: ['/bye', 200],
  traces: ['/health', 204],
  logs: ['/videos/none', 404],
}

before(() => buildDashboard())

test('each block has a name', () => {
  assert.equal(configurations.length, PAGE.match(/```nginx/g)?.length)
})

for (const [, name, text] of configurations) {
  test(`the configuration "${name}" serves`, async () => {
    const conf = text!.replace(/listen 8080/g, 'listen 127.0.0.1:%%PORT_0%%')
    await using server = await startViaduct(conf, {
      files: { 'keys.json': KEYS, 'logs/.keep': '' },
      prepare: (dir) => fs.chmodSync(`${dir}/logs`, 0o777),
    })
    const [path, status] = ANSWERS[name!] ?? ['/', 0]
    const response = await fetch(server.url(path), { redirect: 'manual' })
    if (status !== 0) assert.equal(response.status, status, server.errorLog())
  })
}
