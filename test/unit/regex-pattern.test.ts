/** What nginx users rely on: names, group numbers, bytes, refusals, and no endless backtracking. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePattern, type Pattern } from '../../src/value/regex.ts'

function fail(message: string): never {
  throw new Error(message)
}

function pattern(source: string, caseless = false): Pattern {
  return compilePattern(source, { caseless }, fail)
}

test('names go with their groups', () => {
  const user = pattern("^(\\w+)\\.(?<user>\\w+)\\.(?P<tld>com|org)(?'rest'.*)$")
  assert.deepEqual([...user.names], ['', '', 'user', 'tld', 'rest'])
  assert.equal(user.captureCount, 4)
  assert.equal(user.numberOf('tld'), 3)
  assert.equal(user.numberOf('nobody'), 0)
  assert.equal(user.numberOf(''), 0)
  assert.ok(user.exec('www.joe.org'))
  assert.deepEqual([...user.captures], ['www.joe.org', 'www', 'joe', 'org', ''])
})

test('groups added by translation do not shift the numbers', () => {
  const atomic = pattern('(?>(a+))(b)++(?|x(c)|y(d))(?<last>.)')
  assert.ok(atomic.exec('aabbyde'))
  assert.deepEqual([...atomic.captures], ['aabbyde', 'aa', 'b', 'd', 'e'])
  assert.equal(atomic.numberOf('last'), 4)
})

test('captures of one match survive the next', () => {
  const word = pattern('(\\w+)')
  word.exec('one')
  const first = word.captures
  word.exec('two')
  assert.equal(first[1], 'one')
  assert.equal(word.exec('!'), false)
  assert.equal(word.captures[1], 'two', 'a failed match leaves the captures as they are')
  assert.ok(word.test('three'))
  assert.equal(word.captures[1], 'two')
})

test('a pattern is bytes', () => {
  assert.ok(pattern('^/caf\xc3\xa9$').exec('/caf\xc3\xa9'))
  assert.ok(pattern('^.{2}$').exec('\xc3\xa9'), 'one character of two bytes is two dots')
  assert.ok(pattern('(*UTF8)^.$').exec('\xc3\xa9'))
  assert.ok(pattern('(*UTF8)^[^a]$').exec('\xe2\x82\xac'))
})

test('folding stops at ASCII', () => {
  assert.ok(!pattern('\\xe9', true).exec('\xc9'))
  assert.ok(!pattern('[\\xe0-\\xfe]', true).exec('\xc0'))
  assert.ok(!pattern('\\s').exec('\xa0'))
  assert.ok(pattern('^[^a]$', true).exec('b'))
  assert.ok(!pattern('^[^a]$', true).exec('A'))
})

test('a dollar passes over one final line feed', () => {
  assert.ok(pattern('^/admin$').exec('/admin\n'))
  assert.ok(!pattern('^/admin$').exec('/admin\n\n'))
  assert.ok(!pattern('^/admin\\z').exec('/admin\n'))
  const either = pattern('^(?:(a$)|b(c|d$))')
  assert.ok(either.exec('a\n'))
  assert.equal(either.captures[1], 'a')
  assert.ok(either.exec('bd\n'))
  assert.equal(either.captures[2], 'd')
})

test('multiline, as sub-blocks ask for it', () => {
  const line = compilePattern('^b$', { caseless: false, multiline: true }, fail)
  assert.ok(line.exec('a\nb\nc'))
  assert.ok(!line.exec('ab'))
})

test('properties are those of Latin-1, as for PCRE without (*UTF8)', () => {
  assert.ok(pattern('^\\p{N}+$').test('1\xb2'))
  assert.ok(pattern('^[\\pL_]+$').test('aZ_\xe9'))
  assert.ok(!pattern('^\\P{Lu}$').test('A'))
  assert.ok(pattern('^\\p{^Lu}$').test('a'))
})

test('what has no equivalent is refused by name and place', () => {
  for (const [source, message] of [
    ['(a)(?1)', 'recursion and subroutine calls are not supported in "(a)(?1)" at "1)"'],
    ['(?R)', 'recursion and subroutine calls are not supported in "(?R)" at "R)"'],
    ['(?<n>a)(?P>n)', 'recursion and subroutine calls (?P>...) are not supported in "(?<n>a)(?P>n)" at ">n)"'],
    ['(a)(?(1)b|c)', 'conditional groups are not supported in "(a)(?(1)b|c)" at "(1)b|c)"'],
    ['(*UTF8)\\p{Lu}', '\\p is not supported with (*UTF8) in "(*UTF8)\\p{Lu}" at "{Lu}"'],
    ['\\p{What}', 'unknown property after \\P or \\p in "\\p{What}"'],
    ['a(*SKIP)', 'the verb (*SKIP) is not supported in "a(*SKIP)"'],
    ['(?<=a++)b', 'an atomic group or possessive quantifier in a lookbehind is not supported in "(?<=a++)b" at ")b"'],
    [
      '(*UTF8)[\u00e9]',
      'characters beyond ASCII in a character class are not supported with (*UTF8) in "(*UTF8)[\u00e9]"',
    ],
  ]) {
    assert.throws(() => pattern(source!), { message: 'pcre2_compile() failed: ' + message })
  }
})

test('deep nesting is limited', () => {
  assert.throws(() => pattern('('.repeat(300) + ')'.repeat(300)), /parentheses are too deeply nested/)
  assert.ok(pattern('('.repeat(200) + ')'.repeat(200)).exec(''))
})

// Each of these takes longer than the age of the universe when every way of matching is tried.
test('catastrophic backtracking ends in the linear engine', () => {
  const subject = 'a'.repeat(200) + '!'
  for (const source of ['^(a+)+$', '^(?:a|aa)+$', '^(\\w+\\s?)*$', '(a*)*b', '^(?:(?:a+)+)+\\.php$']) {
    assert.equal(pattern(source).exec(subject), false, source)
    assert.equal(pattern(source, true).exec(subject.toUpperCase()), false, source)
  }
  const found = pattern('^(a|aa)+!$')
  assert.ok(found.exec(subject))
})
