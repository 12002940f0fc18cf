/** Readers made of readers: how words are shared out and whose message is reported. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { confFile, flag, number, oneOf, text, word, words, zone } from '../../src/config/args.ts'
import { each, either, mapped, optional, params, present, tuple, worded } from '../../src/config/combine.ts'
import { ReadFailure } from '../../src/config/diagnostics.ts'
import type { Args, ReadContext } from '../../src/config/directive.ts'
import { parse } from '../../src/config/parser.ts'

function read<T>(args: Args<T>, line: string): T | string {
  const [s] = parse(`test ${line};`, 'f')
  const at: ReadContext = {
    directive: s!.name,
    end: s!.end,
    context: 'http',
    confPrefix: '/etc/v/',
    prefix: '/srv/',
    fail(message) {
      throw new ReadFailure(message)
    },
    warn() {},
  }
  if (s!.args.length < args.min || s!.args.length > args.max) return 'count'
  try {
    return args.read(s!.args, at)
  } catch (error) {
    assert.ok(error instanceof ReadFailure)
    return error.message
  }
}

test('tuple gives each part its words and the rest to the widest', () => {
  const args = tuple(text('a'), optional(oneOf('x', 'y')), words('b', { min: 0 }))
  assert.deepEqual(read(args, '1'), ['1', undefined, []])
  assert.deepEqual(read(args, '1 x'), ['1', 'x', []])
  assert.deepEqual(read(args, '1 y 2 3'), ['1', 'y', ['2', '3']])
  const middle = tuple(words('a'), text('b'))
  assert.deepEqual(read(middle, '1 2 3'), [['1', '2'], '3'])
  assert.deepEqual([middle.min, args.max], [2, Number.POSITIVE_INFINITY])
  assert.equal(read(tuple(text('a'), text('b')), '1'), 'count')
})

test('either takes the first that accepts and lets the last that fits report', () => {
  const args = either(oneOf('off'), number('n'), tuple(number('n'), number('m')))
  assert.deepEqual([read(args, 'OFF'), read(args, '5'), read(args, '5 6')], ['off', 5, [5, 6]])
  assert.equal(read(args, 'x'), '"test" directive invalid number')
  assert.equal(read(args, '5 x'), '"test" directive invalid number')
  const gap = either(text('a'), tuple(text('a'), text('b'), text('c')))
  assert.equal(read(gap, 'a b'), 'invalid number of arguments in "test" directive')
})

test('params take keys in any order, the last of two, and bare words', () => {
  const args = params({ a: number('n'), b: text('t'), on: present })
  assert.deepEqual(read(args, 'b=x=y on a=1 a=2'), { a: 2, b: 'x=y', on: true })
  assert.deepEqual(read(args, ''), { a: undefined, b: undefined, on: undefined })
  assert.equal(read(args, 'a=x'), 'invalid parameter "a=x"')
  assert.equal(read(args, 'on=1'), 'invalid parameter "on=1"')
  assert.equal(read(args, 'toString=1'), 'invalid parameter "toString=1"')
})

test('params keep a message of their own kind', () => {
  const picky = word('x', (w, at) => at.fail(`host not found in "${w.text}"`))
  const wording = { invalid: 'invalid %k value "%v" in "%w" of "%d"', unknown: 'unknown "%w" of "%d"' }
  const args = params({ a: number('n'), b: picky, c: worded(flag, 'c is "%v" in "%w"'), z: zone }, wording)
  assert.equal(read(args, 'a=x'), 'invalid a value "x" in "a=x" of "test"')
  assert.equal(read(args, 'q=x'), 'unknown "q=x" of "test"')
  assert.equal(read(args, 'b=x'), 'host not found in "x"')
  assert.equal(read(args, 'c=x'), 'c is "x" in "c=x"')
  assert.equal(read(args, 'z=a:1k'), 'zone "z=a:1k" is too small')
})

test('each reads every word, mapped changes the whole', () => {
  const args = mapped(each(number('n')), (list) => list.reduce((sum, n) => sum + n, 0))
  assert.equal(read(args, '1 2 3'), 6)
  assert.equal(read(args, ''), 'count')
  assert.equal(read(confFile(), 'a'), '/etc/v/a')
})

test('types follow from the readers', () => {
  const args = tuple(oneOf('a', 'b'), optional(number('n')), params({ on: present, key: text('t') }))
  const value = args.read(parse('test a;', 'f')[0]!.args, undefined as never)
  value satisfies readonly ['a' | 'b', number | undefined, { on: true | undefined; key: string | undefined }]
  assert.equal(value[0], 'a')
})

test('syntax is written as documentation writes it', () => {
  const args = tuple(text('name'), optional(oneOf('a', 'b')), params({ on: present, key: number('number') }))
  assert.equal(args.syntax, 'name [a | b] [on] [key=number]')
})
