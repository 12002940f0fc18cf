/**
 * Cuts an MP4 file to what lies between two moments: reads its `moov` atom, which has the tables of all tracks, and makes a
 * new one, to be followed by a part of the media data as it lies in the file (ngx_http_mp4_process).
 */
import {
  type Atom,
  atomHead,
  atomInFile,
  atomInMemory,
  atomOf,
  HEAD_SIZE,
  Mp4Problem,
  type Mp4Source,
  readInto,
} from './atoms.ts'
import { Table } from './table.ts'
import { type Cut, getDuration, MDHD_DURATION, setDuration, Track } from './track.ts'

const FTYP_SIZE_MAX = 1024
const MVHD_SIZES = [100, 112] as const
const MVHD_DURATION = [16, 24] as const
const TKHD_SIZES = [84, 96] as const
const TKHD_DURATION = [20, 28] as const
const MDHD_SIZES = [24, 36] as const
/** In `mvhd` and `mdhd`. */
const TIMESCALE = [12, 20] as const
const STSD_SIZE = 16
/** The longest head of an atom, which may reach out of `moov`. */
const EXCESS_SIZE = 16
const STSZ_HEAD_SIZE = 12

/** What is read of which atom; everything else is left out, as in nginx. */
const CHILDREN: Readonly<Record<string, readonly string[]>> = {
  moov: ['mvhd', 'trak', 'cmov'],
  trak: ['tkhd', 'mdia'],
  mdia: ['mdhd', 'hdlr', 'minf'],
  minf: ['vmhd', 'smhd', 'dinf', 'stbl'],
  stbl: ['stsd', 'stts', 'stss', 'ctts', 'stsc', 'stsz', 'stco', 'co64'],
}

/** What a request asks for, and the limits of its location. */
export interface Wish {
  /** Milliseconds. */
  readonly start: number
  /** Milliseconds; 0: to the end. */
  readonly length: number
  readonly keyFrame: boolean
  readonly bufferSize: number
  readonly bufferSizeMax: number
}

/** The new file: `head`, then the bytes from `start` to before `end` of the old one. */
export interface CutMovie {
  readonly head: Buffer
  readonly start: number
  readonly end: number
}

/** The file as it is. */
export const WHOLE = 'whole'

/** Cuts a file. */
export function cutMovie(source: Mp4Source, wish: Wish): CutMovie | typeof WHOLE | Mp4Problem {
  const movie = new Movie(source, wish)
  const outcome = movie.read()
  return outcome ?? movie.cut()
}

/** Milliseconds of a file that plays; 0 when that cannot be found out. */
export function movieDuration(source: Mp4Source): number {
  let end = source.size
  for (let at = 0; at < end; ) {
    const atom = atomInFile(source, at, end)
    if (atom === undefined || atom instanceof Mp4Problem) return 0
    at = atom.end
    if (atom.name === 'moov') {
      at = atom.start
      end = atom.end
    } else if (atom.name === 'mvhd') {
      const data = Buffer.alloc(MVHD_SIZES[1])
      const size = Math.min(atom.end - atom.start, data.length)
      if (!readInto(source, data, size, atom.start)) return 0
      const timescale = data.readUInt32BE(TIMESCALE[data[0] === 0 ? 0 : 1])
      return timescale === 0 ? 0 : (getDuration(data, MVHD_DURATION) * 1000) / timescale
    }
  }
  return 0
}

class Movie {
  readonly #source: Mp4Source
  readonly #wish: Wish
  readonly #tracks: Track[] = []
  #ftyp: Buffer | undefined
  #moov: Buffer | undefined
  #mvhd: Buffer | undefined
  #dataEnd = -1
  #timescale = 0
  /** An atom without a size was met: nginx reads on nowhere, whatever it stands in. */
  #isOver = false

  constructor(source: Mp4Source, wish: Wish) {
    this.#source = source
    this.#wish = wish
  }

  /** Reads all but the media data; undefined: it can be cut. */
  read(): typeof WHOLE | Mp4Problem | undefined {
    const { size } = this.#source
    for (let at = 0; at < size; ) {
      const atom = atomInFile(this.#source, at, size)
      if (atom === undefined) return undefined
      if (atom instanceof Mp4Problem) return atom
      at = atom.end
      const outcome = this.#readOuter(atom)
      if (outcome !== undefined) return outcome
      if (this.#hasAll(atom.name)) return undefined
    }
    return undefined
  }

  /** What is behind this atom is not needed. Behind the media data of a fragmented file, whose `moov` has no tracks, nginx looks on. */
  #hasAll(name: string): boolean {
    if (this.#isOver) return true
    return name === 'moov' ? this.#dataEnd >= 0 : name === 'mdat' && this.#tracks.length > 0
  }

  #readOuter(atom: Atom): typeof WHOLE | Mp4Problem | undefined {
    switch (atom.name) {
      case 'ftyp':
        return this.#readFtyp(atom)
      case 'moov':
        return this.#readMoov(atom)
      case 'mdat':
        if (this.#dataEnd >= 0) return this.#problem('duplicate mp4 mdat atom in %s')
        this.#dataEnd = atom.end
        return undefined
      default:
        return undefined
    }
  }

  #readFtyp({ start, end }: Atom): Mp4Problem | undefined {
    if (end - start > FTYP_SIZE_MAX) return this.#problem(`%s mp4 ftyp atom is too large:${end - start}`)
    if (this.#ftyp !== undefined) return this.#problem('duplicate mp4 ftyp atom in %s')
    this.#ftyp = Buffer.alloc(end - start)
    return this.#fill(this.#ftyp, start)
  }

  #readMoov({ start, end }: Atom): typeof WHOLE | Mp4Problem | undefined {
    const { bufferSize, bufferSizeMax } = this.#wish
    if (this.#dataEnd < 0 && this.#wish.start === 0 && this.#wish.length === 0) return WHOLE
    if (this.#moov !== undefined) return this.#problem('duplicate mp4 moov atom in %s')
    const size = end - start
    if (size > Math.max(bufferSize, bufferSizeMax)) {
      const advice = 'you may want to increase mp4_max_buffer_size'
      return this.#problem(`%s mp4 moov atom is too large:${size}, ${advice}`)
    }
    this.#moov = Buffer.allocUnsafeSlow(Math.min(size + EXCESS_SIZE, this.#source.size - start))
    return this.#fill(this.#moov, start) ?? this.#readInner('moov', 0, size, undefined)
  }

  #fill(bytes: Buffer, at: number): Mp4Problem | undefined {
    return readInto(this.#source, bytes, bytes.length, at) ? undefined : this.#problem('%s mp4 file truncated')
  }

  #problem(message: string): Mp4Problem {
    return new Mp4Problem(message, this.#source.path)
  }

  /** Reads the atoms in `parent`, whose data lies in `moov`. A track that ends before the start is left out: SHORT. */
  #readInner(parent: string, start: number, end: number, track: Track | undefined): Mp4Problem | undefined {
    const children = CHILDREN[parent]!
    const moov = this.#moov!
    for (let at = start; at < end && !this.#isOver; ) {
      const atom = atomInMemory(moov, at, end, this.#source.path)
      if (atom === undefined) this.#isOver = true
      if (atom === undefined || atom instanceof Mp4Problem) return atom
      at = atom.end
      if (!children.includes(atom.name)) continue
      const problem = track === undefined ? this.#readMoovAtom(atom) : this.#readTrackAtom(atom, track)
      if (problem !== undefined) return problem
    }
    return undefined
  }

  #readMoovAtom({ name, start, end }: Atom): Mp4Problem | undefined {
    if (name === 'mvhd') return this.#readMvhd(this.#moov!.subarray(start, end))
    if (name === 'cmov') return this.#problem('%s mp4 compressed moov atom (cmov) is not supported')
    if (name !== 'trak') return undefined
    const track = new Track()
    const problem = this.#readInner('trak', start, end, track)
    if (problem === SHORT) return undefined
    if (problem === undefined) this.#tracks.push(track)
    return problem
  }

  #readMvhd(data: Buffer): Mp4Problem | undefined {
    if (this.#mvhd !== undefined) return this.#problem('duplicate mp4 mvhd atom in %s')
    if (isTooSmall(data, MVHD_SIZES)) return this.#problem('%s mp4 mvhd atom too small')
    this.#mvhd = data
    this.#timescale = data.readUInt32BE(TIMESCALE[data[0] === 0 ? 0 : 1])
    const duration = getDuration(data, MVHD_DURATION)
    const left = duration - this.#units(this.#wish.start, this.#timescale)
    if (left < 0) return this.#problem('%s mp4 start time exceeds file duration')
    setDuration(data, MVHD_DURATION, this.#within(left, this.#timescale))
    return undefined
  }

  #units(ms: number, timescale: number): number {
    return Math.floor((ms * timescale) / 1000)
  }

  /** A duration that is no longer than what is asked for. */
  #within(left: number, timescale: number): number {
    const { length } = this.#wish
    return length === 0 ? left : Math.min(left, this.#units(length, timescale))
  }

  #readTrackAtom({ name, start, end }: Atom, track: Track): Mp4Problem | undefined {
    const data = this.#moov!.subarray(start, end)
    switch (name) {
      case 'mdia':
      case 'minf':
      case 'stbl':
        if (track.parents.has(name)) return this.#problem(`duplicate mp4 ${name} atom in %s`)
        track.parents.add(name)
        return this.#readInner(name, start, end, track)
      case 'tkhd':
        return this.#readTkhd(data, track)
      case 'mdhd':
        return this.#readMdhd(data, track)
      case 'hdlr':
      case 'vmhd':
      case 'smhd':
      case 'dinf':
        return this.#keep(name, data, track)
      case 'stsd':
        return data.length < STSD_SIZE ? this.#problem('%s mp4 stsd atom too small') : this.#keep(name, data, track)
      case 'stts':
      case 'ctts':
      case 'co64':
        return this.#readTable(name, data, 8, track)
      case 'stss':
      case 'stco':
        return this.#readTable(name, data, 4, track)
      case 'stsc':
        return this.#readTable(name, data, 12, track)
      case 'stsz':
        return this.#readSizes(data, track)
      default:
        return undefined
    }
  }

  #keep(name: 'tkhd' | 'mdhd' | 'hdlr' | 'vmhd' | 'smhd' | 'dinf' | 'stsd', data: Buffer, track: Track) {
    const other = name === 'vmhd' ? 'smhd' : name === 'smhd' ? 'vmhd' : name
    if (track.kept.has(name) || track.kept.has(other)) {
      return this.#problem(`duplicate mp4 ${name === other ? name : 'vmhd/smhd'} atom in %s`)
    }
    track.kept.set(name, data)
    return undefined
  }

  #readTkhd(data: Buffer, track: Track): Mp4Problem | undefined {
    if (isTooSmall(data, TKHD_SIZES)) return this.#problem('%s mp4 tkhd atom too small')
    const left = getDuration(data, TKHD_DURATION) - this.#units(this.#wish.start, this.#timescale)
    if (left <= 0) return SHORT
    track.movieDuration = this.#within(left, this.#timescale)
    setDuration(data, TKHD_DURATION, track.movieDuration)
    return this.#keep('tkhd', data, track)
  }

  #readMdhd(data: Buffer, track: Track): Mp4Problem | undefined {
    if (isTooSmall(data, MDHD_SIZES)) return this.#problem('%s mp4 mdhd atom too small')
    track.timescale = data.readUInt32BE(TIMESCALE[data[0] === 0 ? 0 : 1])
    const left = getDuration(data, MDHD_DURATION) - this.#units(this.#wish.start, track.timescale)
    if (left <= 0) return SHORT
    track.duration = this.#within(left, track.timescale)
    return this.#keep('mdhd', data, track)
  }

  #readTable(name: 'stts' | 'stss' | 'ctts' | 'stsc' | 'stco' | 'co64', data: Buffer, width: number, track: Track) {
    const table = Table.read(data, width)
    if (table === undefined) return this.#problem(`%s mp4 ${name} atom too small`)
    const { tables } = track
    const isPlaces = name === 'stco' || name === 'co64'
    const isThere = isPlaces ? tables.has('stco') || tables.has('co64') : tables.has(name)
    if (isThere) return this.#problem(`duplicate mp4 ${isPlaces ? 'stco/co64' : name} atom in %s`)
    tables.set(name, table)
    return undefined
  }

  #readSizes(data: Buffer, track: Track): Mp4Problem | undefined {
    if (data.length < STSZ_HEAD_SIZE) return this.#problem('%s mp4 stsz atom too small')
    if (track.tables.has('stsz') || track.sameSizes !== undefined) {
      return this.#problem('duplicate mp4 stsz atom in %s')
    }
    if (data.readUInt32BE(4) !== 0) {
      track.sameSizes = data.subarray(0, STSZ_HEAD_SIZE)
      return undefined
    }
    const table = Table.read(data, 4, STSZ_HEAD_SIZE)
    if (table === undefined) return this.#problem('%s mp4 stsz atom too small')
    track.tables.set('stsz', table)
    return undefined
  }

  /** Cuts what was read. */
  cut(): CutMovie | Mp4Problem {
    const { size, path } = this.#source
    if (this.#tracks.length === 0) return this.#problem('no mp4 trak atoms were found in %s')
    if (this.#dataEnd < 0) return this.#problem('no mp4 mdat atom was found in %s')
    const { start: from, length, keyFrame } = this.#wish
    const cut: Cut = { start: from, length, keyFrame, fileSize: size, dataEnd: this.#dataEnd, path }
    let start = size
    let end = 0
    for (const track of this.#tracks) {
      const problem = track.cut(cut)
      if (problem !== undefined) return problem
      start = Math.min(start, track.startOffset)
      end = Math.max(end, track.endOffset)
    }
    if (end <= start) return this.#problem('no data between start time and end time in %s')
    if (start >= this.#dataEnd) return this.#problem('start time is out mp4 mdat atom in %s')
    return { head: this.#writeHead(start, end), start, end }
  }

  #writeHead(start: number, end: number): Buffer {
    const ftyp = this.#ftyp === undefined ? [] : [atomOf('ftyp', [this.#ftyp])]
    const mvhd = this.#mvhd === undefined ? [] : [atomOf('mvhd', [this.#mvhd])]
    const mdat = atomHead('mdat', end - start)
    const moovSize = this.#tracks.reduce((sum, track) => sum + track.write().length, HEAD_SIZE + sizeOf(mvhd))
    // The media data moves with all that is before it; sizes do not depend on where it is.
    const by = sizeOf(ftyp) + moovSize + mdat.length - start
    for (const track of this.#tracks) track.move(by)
    const moov = atomOf('moov', [...mvhd, ...this.#tracks.map((track) => track.write())])
    return Buffer.concat([...ftyp, moov, mdat])
  }
}

/** A track that has nothing to play. */
const SHORT = new Mp4Problem('', '')

function isTooSmall(data: Buffer, [small, large]: readonly [number, number]): boolean {
  return data.length < small || (data[0] !== 0 && data.length < large)
}

function sizeOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}
