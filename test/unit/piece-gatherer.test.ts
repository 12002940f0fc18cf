/** Pieces of a filter become one; a lone one is not copied. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodySink, FLUSH, LAST, LENT, STABLE } from '../../src/http/message/body.ts'
import { PieceGatherer } from '../../src/http/response/piece-gatherer.ts'

class Sink extends BodySink {
  readonly writes: { readonly bytes: Uint8Array; readonly text: string; readonly flags: number }[] = []
  room = true

  write(bytes: Uint8Array, flags: number): boolean {
    this.writes.push({ bytes, text: Buffer.from(bytes).toString('latin1'), flags })
    return this.room
  }
}

test('a lone piece goes on as it is', () => {
  const sink = new Sink()
  const out = new PieceGatherer(sink)
  const bytes = Buffer.from('abc')
  out.add(bytes, 0, 3, LENT)
  assert.equal(out.pass(FLUSH), true)
  assert.equal(sink.writes[0]!.bytes, bytes)
  assert.equal(sink.writes[0]!.flags, FLUSH | LENT)
})

test('several become one, whatever their lengths and kinds', () => {
  const sink = new Sink()
  const out = new PieceGatherer(sink)
  let wanted = ''
  const source = Buffer.from(Array.from({ length: 20000 }, (_, i) => i & 0xff))
  for (let i = 0; i < 300; i++) {
    const start = (i * 37) % 1000
    const end = start + ((i * i) % 97)
    if (i % 3 === 0) out.addText(source.latin1Slice(start, end))
    else out.add(source, start, end, 0)
    wanted += source.latin1Slice(start, end)
    assert.equal(out.size, wanted.length)
  }
  sink.room = false
  assert.equal(out.pass(LAST), false)
  assert.deepEqual(
    sink.writes.map(({ text, flags }) => ({ text, flags })),
    [{ text: wanted, flags: LAST | STABLE }],
  )
})

test('what was passed on is not touched again', () => {
  const sink = new Sink()
  const out = new PieceGatherer(sink)
  out.addText('one')
  out.pass(0)
  out.addText('two')
  out.pass(0)
  assert.deepEqual(
    sink.writes.map(({ bytes }) => Buffer.from(bytes).toString()),
    ['one', 'two'],
  )
})

test('nothing is passed on without bytes or flags', () => {
  const sink = new Sink()
  const out = new PieceGatherer(sink)
  assert.equal(out.pass(0), true)
  out.addText('gone')
  out.drop()
  assert.equal(out.pass(0), true)
  assert.equal(sink.writes.length, 0)
  out.pass(LAST)
  assert.deepEqual(
    sink.writes.map(({ text, flags }) => ({ text, flags })),
    [{ text: '', flags: LAST }],
  )
})
