/** MP4 files made by dice, and a reader of them that is as simple as can be: samples with their times and bytes. */
import type { Dice } from './dice.ts'

/** One sample of a track. */
export interface Sample {
  readonly bytes: string
  /** In units of the track. */
  readonly duration: number
  readonly offset: number
  readonly isKey: boolean
}

/** A track as its samples. */
export interface SimpleTrack {
  readonly timescale: number
  readonly samples: readonly Sample[]
}

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4)
  return bytes
}

function atom(name: string, ...parts: readonly Buffer[]): Buffer {
  const data = Buffer.concat(parts)
  return Buffer.concat([u32(8 + data.length), Buffer.from(name), data])
}

/** What a file is made like. */
export interface Making {
  readonly moovFirst: boolean
  readonly large: boolean
}

/** A track of `count` samples. */
export function makeTrack(dice: Dice, count: number, keyEvery: number): SimpleTrack {
  let duration = dice.below(40) + 10
  const samples = Array.from({ length: count }, (_, i): Sample => {
    if (dice.below(4) === 0) duration = dice.below(40) + 10
    const bytes = `<${i}>`.padEnd(dice.below(12) + 6, '.')
    return { bytes, duration, offset: dice.below(3), isKey: i % keyEvery === 0 }
  })
  return { timescale: 1000, samples }
}

/** A file with these tracks; chunks of them take turns in the media data. */
export function makeMovie(dice: Dice, tracks: readonly SimpleTrack[], { moovFirst, large }: Making): Buffer {
  const ftyp = atom('ftyp', Buffer.from('isom'), u32(512), Buffer.from('isomiso2'))
  const chunks = tracks.map(({ samples }) => cutIntoChunks(dice, samples))
  const build = (dataStart: number) => {
    const places: number[][] = tracks.map(() => [])
    const data: Buffer[] = []
    let at = dataStart
    for (let i = 0; i < Math.max(...chunks.map((list) => list.length)); i++) {
      chunks.forEach((list, track) => {
        const chunk = list[i]
        if (chunk === undefined) return
        const bytes = Buffer.from(chunk.map((sample) => sample.bytes).join(''))
        places[track]!.push(at)
        at += bytes.length
        data.push(bytes)
      })
    }
    const traks = tracks.map((track, i) => trak(track, chunks[i]!, places[i]!, large))
    const longest = Math.max(...tracks.map(durationOf))
    return { moov: atom('moov', mvhd(longest), ...traks), mdat: atom('mdat', ...data) }
  }
  const { moov } = build(0)
  const { moov: final, mdat } = build(ftyp.length + (moovFirst ? moov.length : 0) + 8)
  return Buffer.concat(moovFirst ? [ftyp, final, mdat] : [ftyp, mdat, final])
}

/** Units that a track lasts. */
export function durationOf({ samples }: SimpleTrack): number {
  return samples.reduce((sum, sample) => sum + sample.duration, 0)
}

function cutIntoChunks(dice: Dice, samples: readonly Sample[]): Sample[][] {
  const chunks: Sample[][] = []
  let size = dice.below(5) + 1
  for (let at = 0; at < samples.length; at += chunks.at(-1)!.length) {
    if (dice.below(3) === 0) size = dice.below(6) + 1
    chunks.push(samples.slice(at, at + size))
  }
  return chunks
}

function mvhd(duration: number): Buffer {
  return atom('mvhd', u32(0, 0, 0, 1000, duration), Buffer.alloc(80))
}

function runs<T>(list: readonly T[]): [number, T][] {
  const found: [number, T][] = []
  for (const value of list) {
    const last = found.at(-1)
    if (last?.[1] === value) last[0]++
    else found.push([1, value])
  }
  return found
}

function table(name: string, entries: readonly (readonly number[])[], head: readonly number[] = [0]): Buffer {
  return atom(name, u32(...head, entries.length, ...entries.flat()))
}

function trak(track: SimpleTrack, chunks: readonly Sample[][], places: readonly number[], large: boolean): Buffer {
  const { samples } = track
  const duration = durationOf(track)
  const stsc: number[][] = []
  chunks.forEach((chunk, i) => {
    if (stsc.at(-1)?.[1] !== chunk.length) stsc.push([i + 1, chunk.length, 1])
  })
  const keys = samples.flatMap(({ isKey }, i) => (isKey ? [[i + 1]] : []))
  const stbl = atom(
    'stbl',
    atom('stsd', u32(0, 1, 8), Buffer.from('mp4v')),
    table('stts', runs(samples.map((sample) => sample.duration))),
    table('ctts', runs(samples.map((sample) => sample.offset))),
    table('stss', keys),
    table('stsc', stsc),
    table(
      'stsz',
      samples.map(({ bytes }) => [bytes.length]),
      [0, 0],
    ),
    large
      ? table(
          'co64',
          places.map((place) => [0, place]),
        )
      : table(
          'stco',
          places.map((place) => [place]),
        ),
  )
  const minf = atom('minf', atom('vmhd', u32(0, 0, 0)), atom('dinf', u32(0)), stbl)
  const mdia = atom('mdia', atom('mdhd', u32(0, 0, 0, track.timescale, duration, 0)), atom('hdlr', u32(0)), minf)
  return atom('trak', atom('tkhd', u32(0, 0, 0, 1, 0, duration), Buffer.alloc(60)), mdia)
}

/** The atoms in some bytes, by their names; of several of one name all. */
function children(bytes: Buffer): Map<string, Buffer[]> {
  const found = new Map<string, Buffer[]>()
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at)
    const name = bytes.toString('latin1', at + 4, at + 8)
    if (size < 8 || at + size > bytes.length) throw new Error(`${name} of ${size} bytes at ${at} of ${bytes.length}`)
    found.set(name, [...(found.get(name) ?? []), bytes.subarray(at + 8, at + size)])
    at += size
  }
  return found
}

/** A track as it is read, with what players are told to skip. */
export interface ReadTrack extends SimpleTrack {
  readonly duration: number
  readonly skip: number
}

/** Reads a file back. */
export function readMovie(file: Buffer): ReadTrack[] {
  const moov = children(children(file).get('moov')![0]!)
  return moov.get('trak')!.map((trakData) => readTrack(file, children(trakData)))
}

function readTrack(file: Buffer, trakAtoms: Map<string, Buffer[]>): ReadTrack {
  const mdia = children(trakAtoms.get('mdia')![0]!)
  const stbl = children(children(mdia.get('minf')![0]!).get('stbl')![0]!)
  const entries = (name: string, width: number, head = 1): number[][] => {
    const data = stbl.get(name)?.[0]
    if (data === undefined) return []
    const count = data.readUInt32BE(head * 4)
    if (data.length !== (head + 1 + count * width) * 4) throw new Error(`${name}: ${count} in ${data.length} bytes`)
    return Array.from({ length: count }, (_, i) =>
      Array.from({ length: width }, (_unused, field) => data.readUInt32BE((head + 1 + i * width + field) * 4)),
    )
  }
  const spread = (list: readonly number[][]) => list.flatMap(([count, value]) => Array<number>(count!).fill(value!))
  const durations = spread(entries('stts', 2))
  const offsets = spread(entries('ctts', 2))
  const sizes = entries('stsz', 1, 2).map(([size]) => size!)
  const keys = new Set(entries('stss', 1).map(([sample]) => sample! - 1))
  const places = stbl.has('co64')
    ? entries('co64', 2).map(([high, low]) => high! * 2 ** 32 + low!)
    : entries('stco', 1).map(([place]) => place!)
  const stsc = entries('stsc', 3)
  const samples: Sample[] = []
  places.forEach((place, chunk) => {
    const count = stsc.findLast(([first]) => first! <= chunk + 1)![1]!
    let at = place
    for (let i = 0; i < count; i++) {
      const n = samples.length
      const bytes = file.toString('latin1', at, at + sizes[n]!)
      samples.push({ bytes, duration: durations[n]!, offset: offsets[n]!, isKey: keys.has(n) })
      at += sizes[n]!
    }
  })
  if (samples.length !== sizes.length) throw new Error(`${samples.length} samples in chunks, ${sizes.length} sizes`)
  const mdhd = mdia.get('mdhd')![0]!
  const edts = trakAtoms.get('edts')?.[0]
  return {
    timescale: mdhd.readUInt32BE(12),
    duration: mdhd.readUInt32BE(16),
    samples,
    skip: edts === undefined ? 0 : children(edts).get('elst')![0]!.readUInt32BE(20),
  }
}
