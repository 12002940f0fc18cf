/** The SSI parser gives the same wherever a page is cut. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMMAND_BAD, COMMAND_READ, SsiParser, type SsiReceiver } from '../../src/modules/http/ssi/parser.ts'

const PAGES = [
  'a<!--#x a="1" b=\'2 "\' c = "\\"" -->b<!--#y-->c<<!--#z -->d<!--<!--#w -->e<!-',
  '<!--#a b -->1<!--#a b=c -->2<!--#a b="c"d -->3<!--#a -x-->4<!--#a --x-->5<!--#a b="long value" -->6',
  `<!--#${'c'.repeat(40)} -->7<!--#a ${'p'.repeat(40)}="" -->8<!--#a - -- --> 9`,
]

/** What is found in a page that comes in two pieces. */
function parse(page: string, cut: number): string[] {
  const parser = new SsiParser(9)
  const found: string[] = []
  let text = ''
  const flush = () => {
    if (text !== '') found.push(text)
    text = ''
  }
  const to: SsiReceiver = {
    onText(bytes, start, end) {
      text += Buffer.from(bytes.subarray(start, end)).latin1Slice()
    },
    onMark(length) {
      text += '<!--#'.slice(0, length)
    },
    onProblem(message) {
      flush()
      found.push(`problem: ${message}`)
    },
  }
  const whole = Buffer.from(page)
  for (const piece of [whole.subarray(0, cut), whole.subarray(cut)]) {
    for (let at = 0; at < piece.length; at = parser.position) {
      const outcome = parser.parse(piece, at, piece.length, to)
      if (outcome === COMMAND_READ || outcome === COMMAND_BAD) flush()
      if (outcome === COMMAND_BAD) found.push('bad')
      if (outcome === COMMAND_READ) {
        found.push(`${parser.command} ${parser.params.map(({ name, value }) => `${name}:${value}`).join()}`)
      }
    }
  }
  parser.finish(to)
  flush()
  return found
}

test('commands, parameters, text', () => {
  assert.deepEqual(parse(PAGES[0]!, 0), ['a', 'x a:1,b:2 ",c:\\"', 'b', 'y ', 'c<', 'z ', 'd<!--', 'w ', 'e<!-'])
})

test('what is no command is told and skipped', () => {
  const found = parse(PAGES[1]! + PAGES[2]!, 0)
  assert.equal(found.filter((entry) => entry === 'bad').length, 9)
  assert.deepEqual(
    found.filter((entry) => /^\s?\d$/.test(entry)),
    ['1', '2', '3', '4', '5', '6', '7', '8', ' 9'],
  )
  assert.ok(found.includes('problem: too long "long value..." value of "b" parameter in "a" SSI command'))
})

for (const [number, page] of PAGES.entries()) {
  test(`page ${number} cut at every place`, () => {
    const whole = parse(page, 0)
    for (let cut = 1; cut < page.length; cut++) assert.deepEqual(parse(page, cut), whole, `cut at ${cut}`)
  })
}
