/** Requests that no client sent: every variable can be asked of one, as health checks and their `require` do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isHttpModule } from '../../src/http/compile/module.ts'
import { standInRequest } from '../../src/http/exchange/stand-in.ts'
import { modules } from '../../src/modules/index.ts'
import { loadInMaster } from '../../src/process/load-program.ts'

const CONF = 'events { } http { server { listen 127.0.0.1:8080; } }'

function location() {
  const reader = { read: () => CONF, glob: () => [] }
  const origin = { path: '/etc/v/nginx.conf', prefix: '/srv/', globals: '', errorLog: 'stderr' }
  const { program } = loadInMaster(origin, modules, reader)
  return program!.http!.endpoints[0]!.servers.defaultServer.base
}

test('every variable has a value or none', () => {
  const base = location()
  const http = modules.filter(isHttpModule)
  let asked = 0
  for (const { variables = {}, prefixes = {} } of http) {
    const getters = Object.entries(variables).map(([name, v]) => [name, typeof v === 'function' ? v : v.get] as const)
    for (const [prefix, make] of Object.entries(prefixes)) getters.push([`${prefix}x`, make('x')])
    for (const [name, get] of getters) {
      const r = standInRequest(base, '/check', { host: 'a.test', status: 200, headers: undefined })
      const value = get(r)
      assert.ok(value === undefined || typeof value === 'string', `$${name}: ${typeof value}`)
      asked++
    }
  }
  assert.ok(asked >= 140, `${asked} variables`)
})
