/**
 * One track of an MP4 file: its tables are cut to what lies between two moments (ngx_http_mp4_update_*_atom). The order
 * matters, each table needs what the one before has found out:
 *
 *     stts  times -> samples         stss  key frames        ctts  offsets of times
 *     stsc  samples -> chunks        stsz  sizes of samples  stco, co64  places of chunks in the file
 */
import { atomOf, large, Mp4Problem, setLarge } from './atoms.ts'
import type { Table } from './table.ts'

/** What is asked for. */
export interface Cut {
  /** Milliseconds from the beginning. */
  readonly start: number
  /** Milliseconds; 0: to the end. */
  readonly length: number
  /** Begin with the key frame before, and tell players where to go on. */
  readonly keyFrame: boolean
  /** Size of the file. */
  readonly fileSize: number
  /** Where the media data ends. */
  readonly dataEnd: number
  readonly path: string
}

/** Atoms that are taken over as they are, in the order in which they are written. */
type Kept = 'tkhd' | 'mdhd' | 'hdlr' | 'vmhd' | 'smhd' | 'dinf' | 'stsd'
/** Atoms with a table. */
type Tables = 'stts' | 'stss' | 'ctts' | 'stsc' | 'stsz' | 'stco' | 'co64'

const STSC_ENTRY = 12
const UINT32_MAX = 0xffffffff

/** A track while its file is read, then while it is cut. */
export class Track {
  /** Atoms of atoms that were seen. */
  readonly parents = new Set<string>()
  /** Data of the atoms, without their heads. */
  readonly kept = new Map<Kept, Buffer>()
  readonly tables = new Map<Tables, Table>()
  /** Units per second. */
  timescale = 0
  duration = 0
  movieDuration = 0
  /** Data of an `stsz` without a table: all samples have the same size. */
  sameSizes: Buffer | undefined
  /** Where in the file its part of the media data begins and ends. */
  startOffset = 0
  endOffset = 0
  /** Units that players are to skip: from the key frame to the moment asked for. */
  #prefix = 0
  #startSample = 0
  #endSample = 0
  #startChunk = 0
  #endChunk = 0
  #startChunkSamples = 0
  #endChunkSamples = 0
  #startChunkSize = 0
  #endChunkSize = 0
  #firstEntry: Buffer | undefined
  #lastEntry: Buffer | undefined

  /** Cuts all tables; undefined when that was possible. */
  cut(cut: Cut): Mp4Problem | undefined {
    return (
      this.#cutTimes(cut) ??
      this.#cutKeyFrames(cut) ??
      this.#cutOffsets(cut) ??
      this.#cutChunks(cut) ??
      this.#cutSizes(cut) ??
      this.#cutPlaces(cut)
    )
  }

  // ---- stts --------------------------------------------------------------------------------------

  #cutTimes(cut: Cut): Mp4Problem | undefined {
    const table = this.tables.get('stts')
    if (table === undefined) return new Mp4Problem('no mp4 stts atoms were found in %s', cut.path)
    return this.#cutTimesBefore(table, cut) ?? (cut.length > 0 ? this.#cutTimesBehind(table, cut) : undefined)
  }

  /** Finds the entry that holds a moment; `found` has what lies before it. */
  #findTime(table: Table, ms: number, found: { entry: number; samples: number; rest: number }): boolean {
    let time = Math.floor((ms * this.timescale) / 1000) + this.#prefix
    for (found.entry = 0; found.entry < table.count; found.entry++) {
      const count = table.get(found.entry, 0)
      const duration = table.get(found.entry, 1)
      if (time < count * duration) {
        found.rest = Math.floor(time / duration)
        return true
      }
      found.samples += count
      time -= count * duration
    }
    return false
  }

  #cutTimesBefore(table: Table, cut: Cut): Mp4Problem | undefined {
    const found = { entry: 0, samples: 0, rest: 0 }
    if (!this.#findTime(table, cut.start, found)) {
      return new Mp4Problem('start time is out mp4 stts samples in %s', cut.path)
    }
    let { entry, rest } = found
    const sample = found.samples + rest
    let back = cut.keyFrame ? this.#toKeyFrame(sample, cut) : 0
    if (back instanceof Mp4Problem) return back
    this.#startSample = sample - back
    while (rest < back) {
      this.#prefix += rest * table.get(entry, 1)
      back -= rest
      rest = table.get(--entry, 0)
    }
    this.#prefix += back * table.get(entry, 1)
    this.duration += this.#prefix
    rest -= back
    table.set(entry, 0, table.get(entry, 0) - rest)
    table.dropBefore(entry)
    return undefined
  }

  #toKeyFrame(sample: number, cut: Cut): number | Mp4Problem {
    const table = this.tables.get('stss')
    let back = 0
    // Samples are counted from 1 there.
    for (let i = 0; table !== undefined && i < table.count; i++) {
      const key = table.get(i, 0)
      if (key === 0) return new Mp4Problem('zero sync sample in %s', cut.path)
      if (key > sample + 1) break
      back = sample + 1 - key
    }
    return back
  }

  #cutTimesBehind(table: Table, cut: Cut): undefined {
    const found = { entry: 0, samples: 0, rest: 0 }
    const inside = this.#findTime(table, cut.length, found)
    this.#endSample = this.#startSample + found.samples + found.rest
    if (!inside) return
    table.set(found.entry, 0, found.rest)
    table.keep(found.entry + 1)
  }

  // ---- stss, ctts ----------------------------------------------------------------------------------

  #cutKeyFrames({ length }: Cut): undefined {
    const table = this.tables.get('stss')
    if (table === undefined) return
    table.dropBefore(firstNotBelow(table, this.#startSample + 1))
    if (length > 0) table.keep(firstNotBelow(table, this.#endSample + 1))
    for (let i = 0; i < table.count; i++) table.set(i, 0, table.get(i, 0) - this.#startSample)
  }

  #cutOffsets({ length }: Cut): undefined {
    const table = this.tables.get('ctts')
    if (table === undefined) return
    const start = { entry: 0, rest: this.#startSample }
    const isInside = findSample(table, start)
    if (isInside) table.set(start.entry, 0, table.get(start.entry, 0) - start.rest)
    table.dropBefore(start.entry)
    if (length > 0) {
      const end = { entry: 0, rest: this.#endSample - this.#startSample }
      if (findSample(table, end)) {
        table.set(end.entry, 0, end.rest)
        table.keep(end.entry + 1)
      }
    }
    if (table.count === 0) this.tables.delete('ctts')
  }

  // ---- stsc ----------------------------------------------------------------------------------------

  #cutChunks(cut: Cut): Mp4Problem | undefined {
    const table = this.tables.get('stsc')
    if (table === undefined) return new Mp4Problem('no mp4 stsc atoms were found in %s', cut.path)
    if (table.count === 0) return new Mp4Problem('zero number of entries in stsc atom in %s', cut.path)
    const problem =
      this.#cutChunksBefore(table, cut) ?? (cut.length > 0 ? this.#cutChunksBehind(table, cut) : undefined)
    if (problem !== undefined) return problem
    for (let i = 0; i < table.count; i++) table.set(i, 0, table.get(i, 0) - this.#startChunk)
    return undefined
  }

  /** Finds the run of chunks that holds a sample; `at.sample` is then counted from its beginning. */
  #findChunk(table: Table, cut: Cut, at: ChunkPlace, what: string): Mp4Problem | undefined {
    for (at.entry = 0; ; at.entry++) {
      at.chunk = table.get(at.entry, 0)
      at.samples = table.get(at.entry, 1)
      const isLast = at.entry + 1 === table.count
      at.next = isLast ? this.#chunkCount() + 1 : table.get(at.entry + 1, 0)
      if (at.next < at.chunk) return new Mp4Problem('unordered mp4 stsc chunks in %s', cut.path)
      const count = (at.next - at.chunk) * at.samples
      if (at.sample < count) break
      if (isLast) {
        if (at.sample > count) return new Mp4Problem(`${what} time is out mp4 stsc chunks in %s`, cut.path)
        break
      }
      at.sample -= count
      if (at.next > at.chunk) at.samplesBefore = at.samples
    }
    if (at.samples === 0) return new Mp4Problem('zero number of samples in %s', cut.path)
    return at.chunk === 0 ? new Mp4Problem('zero chunk in %s', cut.path) : undefined
  }

  #chunkCount(): number {
    return (this.tables.get('co64') ?? this.tables.get('stco'))?.count ?? 0
  }

  #cutChunksBefore(table: Table, cut: Cut): Mp4Problem | undefined {
    const at = chunkPlace(this.#startSample)
    const problem = this.#findChunk(table, cut, at, 'start')
    if (problem !== undefined) return problem
    const into = at.sample % at.samples
    this.#startChunk = at.chunk - 1 + Math.floor(at.sample / at.samples)
    this.#startChunkSamples = into
    table.dropBefore(at.entry)
    table.set(0, 0, this.#startChunk + 1)
    if (into === 0) return undefined
    const rest = at.samples - into
    if (at.next - this.#startChunk === 2) {
      table.set(0, 1, rest)
    } else {
      this.#firstEntry = entryOf(1, rest, table.get(0, 2))
      table.set(0, 0, this.#startChunk + 2)
    }
    return undefined
  }

  #cutChunksBehind(table: Table, cut: Cut): Mp4Problem | undefined {
    const at = chunkPlace(this.#endSample - this.#startSample)
    if (at.sample === 0) return this.#dropChunks(table)
    const first = this.#firstEntry
    if (first !== undefined) {
      const samples = Math.min(first.readUInt32BE(4), at.sample)
      first.writeUInt32BE(samples, 4)
      at.sample -= samples
      at.samplesBefore = samples
    }
    const problem = this.#findChunk(table, cut, at, 'end')
    if (problem !== undefined) return problem
    const into = at.sample % at.samples
    const target = at.chunk - 1 + Math.floor(at.sample / at.samples)
    const id = table.get(at.entry, 2)
    table.keep(at.sample > 0 ? at.entry + 1 : at.entry)
    this.#endChunk = into > 0 ? target + 1 : target
    this.#endChunkSamples = into > 0 ? into : at.sample > 0 ? at.samples : at.samplesBefore
    if (into === 0) return undefined
    // A run of which but one chunk is left needs no entry more.
    if (at.chunk + 1 - target === 2) table.set(at.entry, 1, into)
    else this.#lastEntry = entryOf(this.#endChunk - this.#startChunk, into, id)
    return undefined
  }

  /** No sample lies between the moments. */
  #dropChunks(table: Table): undefined {
    this.#firstEntry = undefined
    this.#endChunk = this.#startChunk
    table.keep(0)
  }

  // ---- stsz ----------------------------------------------------------------------------------------

  #cutSizes(cut: Cut): Mp4Problem | undefined {
    const table = this.tables.get('stsz')
    if (table === undefined) return undefined
    const start = this.#startSample
    if (start >= table.count) return new Mp4Problem('start time is out mp4 stsz samples in %s', cut.path)
    this.#startChunkSize = sumBefore(table, start, this.#startChunkSamples)
    if (this.#startChunkSize > cut.fileSize) return new Mp4Problem('too large mp4 start samples size in %s', cut.path)
    const count = this.#endSample - start
    if (cut.length > 0) {
      if (count > table.count - start) return new Mp4Problem('end time is out mp4 stsz samples in %s', cut.path)
      this.#endChunkSize = sumBefore(table, this.#endSample, this.#endChunkSamples)
      if (this.#endChunkSize > cut.fileSize) return new Mp4Problem('too large mp4 end samples size in %s', cut.path)
    }
    table.dropBefore(start)
    if (cut.length > 0) table.keep(count)
    return undefined
  }

  // ---- stco, co64 ----------------------------------------------------------------------------------

  #cutPlaces(cut: Cut): Mp4Problem | undefined {
    const table = this.tables.get('co64') ?? this.tables.get('stco')
    if (table === undefined) return new Mp4Problem('no mp4 stco atoms were found in %s', cut.path)
    const name = table.width === 8 ? 'co64' : 'stco'
    if (this.#startChunk >= table.count) return new Mp4Problem(`start time is out mp4 ${name} chunks in %s`, cut.path)
    if (cut.length > 0 && this.#endChunk > table.count) {
      return new Mp4Problem(`end time is out mp4 ${name} chunks in %s`, cut.path)
    }
    const start = place(table, this.#startChunk, this.#startChunkSize, cut)
    if (start instanceof Mp4Problem) return start
    // The last chunk may be this one: its samples are counted from here then.
    setPlace(table, this.#startChunk, start)
    const behind = cut.length > 0 ? this.#endChunk : table.count
    const count = Math.max(0, behind - this.#startChunk)
    const end = cut.length > 0 && count > 0 ? place(table, behind - 1, this.#endChunkSize, cut) : cut.dataEnd
    if (end instanceof Mp4Problem) return end
    this.startOffset = count > 0 ? start : cut.fileSize
    this.endOffset = count > 0 ? end : 0
    table.dropBefore(this.#startChunk)
    table.keep(count)
    return undefined
  }

  /** Adds to the places of all chunks, once it is known where the media data will stand. */
  move(by: number): void {
    const table = this.tables.get('co64') ?? this.tables.get('stco')!
    for (let i = 0; i < table.count; i++) setPlace(table, i, getPlace(table, i) + by)
  }

  // ---- writing ---------------------------------------------------------------------------------------

  /** The track as an atom. */
  write(): Buffer {
    const { kept } = this
    const mdhd = kept.get('mdhd')
    if (mdhd !== undefined) setDuration(mdhd, MDHD_DURATION, this.duration)
    const stbl = this.#existing('stsd')
    for (const name of ['stts', 'stss', 'ctts', 'stsc', 'stsz', 'stco', 'co64'] as const) {
      const table = this.tables.get(name)
      if (name === 'stsz' && this.sameSizes !== undefined) stbl.push(atomOf(name, [this.sameSizes]))
      if (table !== undefined) stbl.push(name === 'stsc' ? this.#writeChunks(table) : table.write(name))
    }
    const minf = [...this.#existing('vmhd', 'smhd', 'dinf'), atomOf('stbl', stbl)]
    const mdia = [...this.#existing('mdhd', 'hdlr'), atomOf('minf', minf)]
    return atomOf('trak', [...this.#existing('tkhd'), ...this.#edits(), atomOf('mdia', mdia)])
  }

  #existing(...names: readonly Kept[]): Buffer[] {
    return names.filter((name) => this.kept.has(name)).map((name) => atomOf(name, [this.kept.get(name)!]))
  }

  #writeChunks(table: Table): Buffer {
    const first = this.#firstEntry === undefined ? [] : [this.#firstEntry]
    const last = this.#lastEntry === undefined ? [] : [this.#lastEntry]
    return table.write('stsc', first, last)
  }

  #edits(): Buffer[] {
    if (this.#prefix === 0) return []
    const data = Buffer.alloc(28)
    data.writeUInt8(1, 0)
    data.writeUInt32BE(1, 4)
    setLarge(data, this.movieDuration, 8)
    setLarge(data, this.#prefix, 16)
    data.writeUInt16BE(1, 24)
    return [atomOf('edts', [atomOf('elst', [data])])]
  }
}

/** Where a duration stands in the data of an atom: of version 0, then of the others, where it has 8 bytes. */
export const MDHD_DURATION = [16, 24] as const

/** Reads a duration. */
export function getDuration(data: Buffer, at: readonly [number, number]): number {
  return data[0] === 0 ? data.readUInt32BE(at[0]) : large(data, at[1])
}

/** Writes a duration. */
export function setDuration(data: Buffer, at: readonly [number, number], value: number): void {
  if (data[0] === 0) data.writeUInt32BE(Math.min(value, UINT32_MAX), at[0])
  else setLarge(data, value, at[1])
}

/** A sample among the chunks. */
interface ChunkPlace {
  sample: number
  entry: number
  chunk: number
  /** The chunk that begins the next run. */
  next: number
  /** Samples of each chunk. */
  samples: number
  /** The same of the run before, if it had chunks. */
  samplesBefore: number
}

function chunkPlace(sample: number): ChunkPlace {
  return { sample, entry: 0, chunk: 0, next: 0, samples: 0, samplesBefore: 0 }
}

function entryOf(chunk: number, samples: number, id: number): Buffer {
  const entry = Buffer.alloc(STSC_ENTRY)
  entry.writeUInt32BE(chunk, 0)
  entry.writeUInt32BE(samples, 4)
  entry.writeUInt32BE(id, 8)
  return entry
}

function firstNotBelow(table: Table, value: number): number {
  let i = 0
  while (i < table.count && table.get(i, 0) < value) i++
  return i
}

/** Finds the run that has the sample number `rest`, which is then counted from its beginning. */
function findSample(table: Table, at: { entry: number; rest: number }): boolean {
  for (at.entry = 0; at.entry < table.count; at.entry++) {
    const count = table.get(at.entry, 0)
    if (at.rest < count) return true
    at.rest -= count
  }
  return false
}

function sumBefore(table: Table, end: number, count: number): number {
  let sum = 0
  for (let i = Math.max(0, end - count); i < end; i++) sum += table.get(i, 0)
  return sum
}

function place(table: Table, chunk: number, samplesSize: number, { fileSize, path }: Cut): number | Mp4Problem {
  const at = getPlace(table, chunk)
  const tooLarge = at > fileSize - samplesSize || (table.width === 4 && at + samplesSize > UINT32_MAX)
  return tooLarge ? new Mp4Problem('too large chunk offset in %s', path) : at + samplesSize
}

function getPlace(table: Table, chunk: number): number {
  return table.width === 8 ? table.getLarge(chunk) : table.get(chunk, 0)
}

function setPlace(table: Table, chunk: number, value: number): void {
  if (table.width === 8) table.setLarge(chunk, value)
  else table.set(chunk, 0, value)
}
