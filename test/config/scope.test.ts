/** Inheritance, memory and shape of resolved settings. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { number, text } from '../../src/config/args.ts'
import { type Context, type Directives, directive, directives, family } from '../../src/config/directive.ts'
import { Scope, ScopeEnv } from '../../src/config/scope.ts'
import { core, loadText, settings } from './fixture.ts'

const at = { file: 'f', line: 1, column: 1 }
const env = new ScopeEnv('/srv/', '/etc/v/')

test('resolved settings are objects with fast properties', () => {
  setFlagsFromString('--allow-natives-syntax')
  const hasFastProperties = new Function('object', 'return %HasFastProperties(object)') as (object: unknown) => boolean
  const many: Directives = Object.fromEntries(
    Array.from({ length: 120 }, (_, i) => [
      `setting_${i}`,
      directive({ in: ['http'], args: text('x'), default: 'x', doc: '' }),
    ]),
  )
  const dictionary: Record<string, unknown> = {}
  for (let i = 0; i < 120; i++) dictionary[`setting_${i}`] = i
  const scope = new Scope('http', at, env)
  assert.equal(hasFastProperties(scope.resolve(many)), true)
  assert.equal(hasFastProperties(scope.resolve(settings)), true)
})

test('the same declarations resolve to the same object', () => {
  const { config } = loadText('http { sendfile on; }')
  const [http] = config.main.own(core).http!
  assert.equal(http!.scope.resolve(settings), http!.scope.resolve(settings))
  assert.equal(http!.scope.resolve(settings).sendfile, true)
})

test('a default is read once per load, by the reader of the directive', () => {
  let reads = 0
  const counting = { syntax: 'n', min: 1, max: 1, read: () => ++reads }
  const declared = { counted: directive({ in: ['http'], args: counting, default: '7', doc: '' }) }
  const outer = new Scope('http', at, new ScopeEnv('', ''))
  assert.equal(outer.resolve(declared).counted, 1)
  assert.equal(outer.open('server', at).resolve(declared).counted, 1)
})

test('a default that its reader refuses is a mistake of the program', () => {
  const declared = { broken: directive({ in: ['http'], args: number(), default: 'x', doc: '' }) }
  assert.throws(() => new Scope('http', at, env).resolve(declared), /default of directive "broken"/)
})

test('values belong to declarations, not to names', () => {
  const one = { name: directive({ in: ['http'], args: text('x'), doc: '' }) }
  const other = { name: directive({ in: ['http'], args: text('x'), doc: '' }) }
  const scope = new Scope('http', at, env)
  scope.give(one.name, 'a', at)
  assert.deepEqual([scope.resolve(one).name, scope.resolve(other).name], ['a', undefined])
})

test('families are separate declarations', () => {
  const base = { read_timeout: directive({ in: ['http'], args: text('x'), default: 'd', doc: '' }) }
  const proxy = family('proxy', base)
  const fastcgi = family('fastcgi', base)
  const scope = new Scope('http', at, env)
  scope.give(proxy.proxy_read_timeout, 'a', at)
  assert.equal(scope.resolve(proxy).proxy_read_timeout, 'a')
  assert.equal(scope.resolve(fastcgi).fastcgi_read_timeout, 'd')
})

test('own settings leave out what is inherited or default', () => {
  const { config } = loadText('http { sendfile on; server { root a; } }')
  const server = config.main.own(core).http![0]!.scope.own(core).server![0]!.scope
  assert.deepEqual(server.own(settings), { root: '/srv/a' })
  assert.equal(server.positionOf(settings.root)?.line, 1)
  assert.equal(server.positionOf(settings.sendfile), undefined)
})

test('ordered gives one entry per directive in file order', () => {
  const { config } = loadText('http {\nadd_header A a;\nsendfile on;\nadd_header B b;\n}')
  const http = config.main.own(core).http![0]!.scope
  const found = http.ordered({ add_header: settings.add_header, sendfile: settings.sendfile })
  assert.deepEqual(
    found.map(({ name, at: { line } }) => [name, line]),
    [
      ['add_header', 2],
      ['sendfile', 3],
      ['add_header', 4],
    ],
  )
  assert.deepEqual(found[2]!.value, ['B', 'b', undefined])
})

test('every block of a repeated directive is listed', () => {
  const { config } = loadText('http { server { root a; } server { root b; } }')
  const http = config.main.own(core).http![0]!
  assert.deepEqual(
    http.scope.resolve(core).server.map((s) => s.scope.resolve(settings).root),
    ['/srv/a', '/srv/b'],
  )
  assert.deepEqual(
    config.main.children[0]!.children.map((c) => c.context),
    ['server', 'server'],
  )
})

test('a list of its own replaces the inherited one', () => {
  const declared = { header: directives({ in: ['http'], args: text('x'), doc: '' }) }
  const outer = new Scope('http', at, env)
  outer.give(declared.header, 'a', at)
  const inner = outer.open('server', at)
  const innermost = inner.open('location', at)
  innermost.give(declared.header, 'b', at)
  assert.deepEqual([inner.resolve(declared).header, innermost.resolve(declared).header], [['a'], ['b']])
})

test('blocks that say nothing share the settings of the block around them', () => {
  const scope = new Scope('http', at, new ScopeEnv('', ''))
  const declared = { name: directive({ in: ['http'], args: text('x'), default: 'd', doc: '' }) }
  const server = scope.open('server', at)
  const location = server.open('location', at)
  assert.equal(location.resolve(declared), scope.resolve(declared), 'the defaults')
  server.give(declared.name, 'a', at)
  assert.equal(location.resolve(declared).name, 'a', 'given later, while the configuration is read')
  assert.equal(location.resolve(declared), server.resolve(declared))
  assert.equal(scope.resolve(declared).name, 'd')
})

test('what is not inherited is not shared', () => {
  const in_: readonly Context[] = ['location', 'if']
  const declared = {
    handler: directive({ in: in_, args: text('x'), inheritance: 'pseudo', doc: '' }),
    address: directives({ in: in_, args: text('x'), inheritance: 'never', doc: '' }),
    plain: directive({ in: in_, args: text('x'), default: 'd', doc: '' }),
  }
  const outer = new Scope('location', at, new ScopeEnv('', ''))
  outer.give(declared.handler, 'h', at)
  outer.give(declared.address, 'n', at)
  outer.give(declared.plain, 'p', at)
  const pseudo = outer.open('if', at)
  const inner = outer.open('location', at)
  assert.deepEqual(outer.resolve(declared), { handler: 'h', address: ['n'], plain: 'p' })
  assert.deepEqual(pseudo.resolve(declared), { handler: 'h', address: [], plain: 'p' })
  assert.deepEqual(inner.resolve(declared), { handler: undefined, address: [], plain: 'p' })
  assert.deepEqual(pseudo.open('limit_except', at).resolve(declared).handler, 'h')
  assert.equal(inner.open('location', at).resolve(declared), inner.resolve(declared))
})
