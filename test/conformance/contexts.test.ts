/**
 * The contexts of every directive that is declared here, against nginx's own (known-directives.json): who adds a directive
 * may neither forget a place where nginx has it, nor allow it where nginx refuses it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import known from '../../src/config/known-directives.json' with { type: 'json' }
import { modules } from '../../src/modules/index.ts'

const catalogue: Readonly<Record<string, readonly string[]>> = known
/** Contexts of subsystems that are not there yet. */
const LATER = /^(?:stream|mail|mgmt|oidc_|acme_|otel_)/
/** Where a directive may stand although nginx's catalogue does not say so. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  // An `if` in a server may set fields for the `return` in it.
  add_header: ['server_if'],
  add_header_inherit: ['server_if'],
  add_trailer: ['server_if'],
  add_trailer_inherit: ['server_if'],
  expires: ['server_if'],
  // NGINX Plus has them in `match` blocks, which the catalogue does not list as a context.
  header: ['match'],
  status: ['match'],
  // nginx has it in stream alone; tunnels of http end with their first side unless it says otherwise.
  proxy_half_close: ['http', 'server', 'location'],
  // The form of a guide: a check for the whole group.
  health_check: ['upstream'],
}
/** Directives of the same name in a module that is not there yet. */
const OTHER: Readonly<Record<string, readonly string[]>> = { status: ['location'] }

const declared = new Map<string, Set<string>>()
for (const { directives } of modules) {
  for (const [name, directive] of Object.entries(directives)) {
    const contexts = declared.get(name) ?? new Set()
    for (const context of directive.in) contexts.add(context)
    declared.set(name, contexts)
  }
}

for (const [name, contexts] of [...declared].sort()) {
  const nginx = catalogue[name]
  if (nginx === undefined) continue
  test(name, () => {
    const own = [...contexts].filter((context) => !LATER.test(context)).sort()
    const expected = [...nginx, ...(MORE[name] ?? [])].filter(
      (context) => !LATER.test(context) && OTHER[name]?.includes(context) !== true,
    )
    assert.deepEqual(own, expected.toSorted())
  })
}
