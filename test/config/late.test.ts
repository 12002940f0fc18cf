/** Blocks of a checked configuration that are read when they are first used. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scope } from '../../src/config/scope.ts'
import { core, dumpBlocks, loadTexts, settings } from './fixture.ts'

function servers(conf: string, others: Readonly<Record<string, string>> = {}): readonly Scope[] {
  const texts = new Map([['/etc/v/nginx.conf', conf], ...Object.entries(others)])
  const { config, diagnostics } = loadTexts(texts, '', true)
  assert.deepEqual(diagnostics.all, [])
  const [http] = config.main.own(core).http!
  return http!.scope.own(core).server!.map(({ scope }) => scope as Scope)
}

test('a server waits until somebody asks', () => {
  const [server] = servers('http { sendfile on; server { root "a}"; # }\n location /x { root b\\}; } } root c; }')
  assert.equal(server!.isLate, true)
  assert.equal(server!.head.resolve(settings).root, '/srv/c', 'its beginning knows what is around it')
  assert.equal(server!.isLate, true)
  assert.equal(server!.resolve(settings).root, '/srv/a}')
  assert.equal(server!.isLate, false)
  assert.deepEqual(
    server!.children.map((scope) => [scope.context, scope.at.line, scope.resolve(settings).root]),
    [['location', 2, '/srv/b\\}']],
  )
})

test('one that does something without being asked does not wait, whatever file says so', () => {
  const late = (conf: string, others = {}): boolean => servers(conf, others)[0]!.isLate
  assert.equal(late('http { server { location / { begins_alone x; } } }'), false)
  assert.equal(late('http { server { include a; } }', { '/etc/v/a': 'root x;' }), true)
  assert.equal(late('http { server { location / { include a; } } }', { '/etc/v/a': 'begins_alone x;' }), false)
  assert.equal(
    late('http { server { include a; } }', { '/etc/v/a': 'include b;', '/etc/v/b': 'begins_alone x;' }),
    false,
  )
  assert.equal(late('http { include a; }', { '/etc/v/a': 'server { root x; }' }), true)
  assert.equal(late(`http { server { ${'location /x { root x; }'.repeat(100)} } }`), false, 'many blocks take time')
})

test('what is included is read late, too, with its own includes', () => {
  const others = { '/etc/v/a': 'root x;\ninclude b;', '/etc/v/b': 'location / { types { a/b c; } }' }
  const texts = new Map([['/etc/v/nginx.conf', 'http { server { include [ac]; } }'], ...Object.entries(others)])
  const whole = dumpBlocks(loadTexts(texts).config)
  assert.equal(dumpBlocks(loadTexts(texts, '', true).config), whole)
  assert.match(whole, /root="\/srv\/x"/)
})
