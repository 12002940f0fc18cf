/** Frames come out the same however the bytes are cut. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type FrameOwner,
  type FrameProblem,
  FrameReader,
  frameProblemText,
} from '../../src/http/h2/wire/frame-reader.ts'
import {
  ENHANCE_YOUR_CALM,
  FRAME_SIZE_ERROR,
  FRAME_SIZE_LIMIT,
  frameHead,
  goAway,
  PROTOCOL_ERROR,
  pingAck,
  rstStream,
  settingsFrame,
  windowUpdate,
} from '../../src/http/h2/wire/frames.ts'

const WHOLE_MAX = 100

class Recorder implements FrameOwner {
  readonly events: string[] = []
  #data = ''

  onDataHead(stream: number, flags: number, size: number): boolean {
    this.events.push(`data head ${stream} ${flags} ${size}`)
    return true
  }
  onData(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    this.#data += buffer.latin1Slice(start, end)
    if (!last) return true
    this.events.push(`data ${this.#data}`)
    this.#data = ''
    return true
  }
  onFrameHead(): boolean {
    return true
  }
  onFrame(type: number, flags: number, stream: number, buffer: Buffer, start: number, end: number): boolean {
    this.events.push(`frame ${type} ${flags} ${stream} ${buffer.toString('hex', start, end)}`)
    return type !== 3
  }
  onFrameError(problem: FrameProblem): void {
    this.events.push(`error ${problem.code} ${frameProblemText(problem)}`)
  }
}

function read(bytes: Buffer, cuts: readonly number[] = [], frameMax = FRAME_SIZE_LIMIT): Recorder {
  const recorder = new Recorder()
  const reader = new FrameReader(recorder, frameMax, WHOLE_MAX)
  let at = 0
  for (const cut of [...cuts, bytes.length]) {
    // A borrowed buffer is overwritten afterwards.
    const piece = Buffer.from(bytes.subarray(at, cut))
    reader.read(piece, 0, piece.length)
    piece.fill(0xff)
    at = cut
  }
  return recorder
}

const SAMPLE = Buffer.from(
  settingsFrame([[3, 100]]) +
    frameHead(0, 4, 1, 0) +
    frameHead(5, 0, 0, 1) +
    'hello' +
    frameHead(9, 0, 9, 3) +
    '\x03world\0\0\0' +
    frameHead(0, 0, 1, 5) +
    frameHead(4, 0, 8, 5) +
    '\x03\0\0\0' +
    frameHead(200, 77, 0, 9) +
    'x'.repeat(200) +
    windowUpdate(0, 7) +
    goAway(1, 0).replace('\x08', '\x0b') +
    'bye' +
    frameHead(0, 200, 0, 0) +
    pingAck('12345678'),
  'latin1',
)

test('every cut gives the same frames', () => {
  const whole = read(SAMPLE).events
  assert.deepEqual(whole.slice(0, 9), [
    'frame 4 0 0 000300000064',
    'frame 4 1 0 ',
    'data head 1 0 5',
    'data hello',
    'data head 3 9 9',
    'data world',
    'data head 5 1 0',
    'data ',
    'data head 5 8 4',
  ])
  assert.equal(whole.length, 15)
  for (let cut = 1; cut < SAMPLE.length; cut++) assert.deepEqual(read(SAMPLE, [cut]).events, whole, `cut at ${cut}`)
  for (let size = 1; size < 12; size++) {
    const cuts = Array.from({ length: Math.floor((SAMPLE.length - 1) / size) }, (_, i) => (i + 1) * size)
    assert.deepEqual(read(SAMPLE, cuts).events, whole, `pieces of ${size}`)
  }
})

test('false stops the reader', () => {
  const { events } = read(Buffer.from(rstStream(1, 8) + pingAck('12345678'), 'latin1'))
  assert.deepEqual(events, ['frame 3 0 1 00000008'])
})

test('broken frames are told', () => {
  const cases: readonly [string, number, RegExp][] = [
    [frameHead(16385, 0, 0, 1), FRAME_SIZE_ERROR, /too large length 16385/],
    [frameHead(0, 0, 8, 1), FRAME_SIZE_ERROR, /padded DATA frame with incorrect length: 0$/],
    [`${frameHead(3, 0, 8, 1)}\x03\0\0`, PROTOCOL_ERROR, /length: 3, padding: 3/],
    [frameHead(7, 6, 0, 0), FRAME_SIZE_ERROR, /PING frame with incorrect length 7/],
    [frameHead(4, 2, 0, 1), FRAME_SIZE_ERROR, /PRIORITY frame/],
    [frameHead(5, 3, 0, 1), FRAME_SIZE_ERROR, /RST_STREAM frame/],
    [frameHead(5, 8, 0, 1), FRAME_SIZE_ERROR, /WINDOW_UPDATE frame/],
    [frameHead(7, 7, 0, 1), FRAME_SIZE_ERROR, /GOAWAY frame/],
    [frameHead(101, 1, 4, 1), ENHANCE_YOUR_CALM, /too large HEADERS frame/],
  ]
  for (const [text, code, message] of cases) {
    const { events } = read(Buffer.from(text, 'latin1'), [], 16384)
    assert.match(events.at(-1)!, new RegExp(`^error ${code} `))
    assert.match(events.at(-1)!, message)
  }
})
