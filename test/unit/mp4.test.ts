/** MP4 files cut at every moment hold just the samples of that time; broken ones are refused and break nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Mp4Problem, type Mp4Source } from '../../src/modules/http/mp4/atoms.ts'
import { cutMovie, movieDuration, WHOLE, type Wish } from '../../src/modules/http/mp4/movie.ts'
import { Dice } from '../harness/dice.ts'
import { durationOf, makeMovie, makeTrack, readMovie, type SimpleTrack } from '../harness/mp4.ts'

const LIMITS = { bufferSize: 1 << 19, bufferSizeMax: 10 << 20 }

function source(content: Buffer): Mp4Source {
  return { fd: -1, size: content.length, path: '/file', content }
}

function cut(file: Buffer, wish: Pick<Wish, 'start' | 'length' | 'keyFrame'>): Buffer | Mp4Problem | typeof WHOLE {
  const outcome = cutMovie(source(file), { ...wish, ...LIMITS })
  if (outcome === WHOLE || outcome instanceof Mp4Problem) return outcome
  return Buffer.concat([outcome.head, file.subarray(outcome.start, outcome.end)])
}

/** How many samples lie wholly before a moment. */
function samplesBefore({ samples }: SimpleTrack, time: number): number {
  let end = 0
  let count = 0
  for (const { duration } of samples) {
    end += duration
    if (end > time) break
    count++
  }
  return count
}

/** The samples that a cut should have, and what is to be skipped of them. */
function expected(track: SimpleTrack, { start, length, keyFrame }: Pick<Wish, 'start' | 'length' | 'keyFrame'>) {
  const asked = samplesBefore(track, start)
  let first = asked
  while (keyFrame && !track.samples[first]!.isKey) first--
  const skip = durationOf({ ...track, samples: track.samples.slice(first, asked) })
  const behind = track.samples.slice(first)
  const count = length === 0 ? behind.length : samplesBefore({ ...track, samples: behind }, length + skip)
  return { samples: behind.slice(0, count), skip }
}

test('every start and end', () => {
  const dice = new Dice(7)
  for (let round = 0; round < 60; round++) {
    const tracks = [makeTrack(dice, 60, 7), makeTrack(dice, 40, 1)]
    const file = makeMovie(dice, tracks, { moovFirst: round % 2 === 0, large: round % 3 === 0 })
    const end = Math.min(...tracks.map(durationOf))
    for (let i = 0; i < 40; i++) {
      const wish = { start: dice.below(end), length: i % 4 === 0 ? 0 : dice.below(end) + 1, keyFrame: i % 5 === 0 }
      const wanted = tracks.map((track) => expected(track, wish))
      const out = cut(file, wish)
      if (wanted.every(({ samples }) => samples.length === 0)) {
        assert.ok(out instanceof Mp4Problem && out.message.includes('no data between'), JSON.stringify(wish))
        continue
      }
      if (!Buffer.isBuffer(out)) {
        if (wish.start === 0 && wish.length === 0) continue
        assert.fail(`${JSON.stringify(wish)}: ${out instanceof Mp4Problem ? out.message : out}`)
      }
      const read = readMovie(out)
      read.forEach(({ samples, skip, duration }, n) => {
        assert.deepEqual(samples, wanted[n]!.samples, JSON.stringify(wish))
        assert.equal(skip, wanted[n]!.skip)
        const left = durationOf(tracks[n]!) - wish.start
        assert.equal(duration, (wish.length === 0 ? left : Math.min(left, wish.length)) + skip)
      })
    }
  }
})

test('tracks that end before the start are left out; behind all of them is an error', () => {
  const dice = new Dice(3)
  const tracks = [makeTrack(dice, 10, 1), makeTrack(dice, 100, 1)]
  const file = makeMovie(dice, tracks, { moovFirst: true, large: false })
  const [short, long] = tracks.map(durationOf) as [number, number]
  assert.equal(readMovie(cut(file, { start: short, length: 0, keyFrame: false }) as Buffer).length, 1)
  const late = cut(file, { start: long + 1, length: 0, keyFrame: false })
  assert.ok(late instanceof Mp4Problem)
  assert.equal(late.message, '"/file" mp4 start time exceeds file duration')
  assert.equal(movieDuration(source(file)), long)
})

test('the whole file stays as it is when its index is in front', () => {
  const dice = new Dice(4)
  const tracks = [makeTrack(dice, 10, 1)]
  const whole = { start: 0, length: 0, keyFrame: false }
  assert.equal(cut(makeMovie(dice, tracks, { moovFirst: true, large: false }), whole), WHOLE)
  const turned = cut(makeMovie(dice, tracks, { moovFirst: false, large: false }), whole)
  assert.deepEqual(readMovie(turned as Buffer)[0]!.samples, tracks[0]!.samples)
  assert.ok((turned as Buffer).indexOf('moov') < (turned as Buffer).indexOf('mdat'))
})

test('broken files are answered with a problem', () => {
  const dice = new Dice(5)
  const file = makeMovie(dice, [makeTrack(dice, 30, 5), makeTrack(dice, 30, 1)], { moovFirst: true, large: false })
  const wish = { start: 200, length: 300, keyFrame: true }
  const index = file.indexOf('mdat')
  for (let i = 0; i < 5000; i++) {
    const broken = Buffer.from(file)
    for (let n = dice.below(3); n >= 0; n--) broken[dice.below(index)] = dice.below(3) === 0 ? 255 : dice.below(256)
    const out = cut(dice.below(5) === 0 ? broken.subarray(0, dice.below(broken.length)) : broken, wish)
    assert.ok(out === WHOLE || out instanceof Mp4Problem || Buffer.isBuffer(out))
    movieDuration(source(broken))
  }
  for (const [name, message] of [
    ['stts', 'no mp4 stts atoms were found in "/file"'],
    ['stsc', 'no mp4 stsc atoms were found in "/file"'],
    ['stco', 'no mp4 stco atoms were found in "/file"'],
    ['trak', 'no mp4 trak atoms were found in "/file"'],
    ['mdat', 'no mp4 mdat atom was found in "/file"'],
  ] as const) {
    const out = cut(Buffer.from(file.toString('latin1').replaceAll(name, 'free'), 'latin1'), wish)
    assert.ok(out instanceof Mp4Problem)
    assert.equal(out.message, message)
  }
  const nested = Buffer.alloc(1 << 20)
  for (let at = 0; at + 8 <= nested.length; at += 8) {
    nested.writeUInt32BE(nested.length - at, at)
    nested.write(at === 0 ? 'moov' : at === 8 ? 'trak' : 'mdia', at + 4)
  }
  assert.ok(cut(nested, wish) instanceof Mp4Problem)
})
