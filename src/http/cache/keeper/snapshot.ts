/**
 * A snapshot of the index beside the files, so that a restart knows what is stored, when it was used and by which tags it is
 * purged, without reading every file. It is written under another name and renamed, and one that is not whole is not used.
 *
 *     "VIADUCT\n"  version  objects  crc32 of the rest  when it was begun (float, ms)  rules of purging that are not done
 *     for each rule    type(4) size(4) text...
 *     for each object  key[16] main[16] (zero: it is none) inactive_at(4) valid_until(4) blocks(4) body_start(2) uses(2)
 *                      bits(1): expired, suspect  tags(1) 0(2) tag(4)...
 *
 * All of it is little-endian.
 */
import fs from 'node:fs'
import { crc32 } from 'node:zlib'
import { clock } from '../../../lib/clock.ts'
import { systemPath } from '../../../lib/file-status.ts'
import type { KeyWords } from '../../../shared/cache/memory.ts'
import { decodeRules, encodeRule, type PurgeRule, rulesSize } from '../../../shared/cache/rules.ts'
import type { StoredRecord, Upkeep } from '../../../shared/cache/upkeep.ts'
import { idleSeconds } from '../room.ts'

/** The file's name in the folder of the cache. */
export const SNAPSHOT_NAME = 'viaduct.index'
const MAGIC = 'VIADUCT\n'
const VERSION = 1
const RULES_AT = 28
const HEAD_SIZE = 32
const EXPIRED = 1
const SUSPECT = 2
const CHECKED_FROM = 20
const RECORD_SIZE = 52
/** Added to the name while it is written: the loader leaves it alone. */
const UNFINISHED = '.0000000000'

/** Writes the snapshot of an index; exceptions of the disk come through. */
export function writeSnapshot(folder: string, upkeep: Upkeep): void {
  const path = `${folder}/${SNAPSHOT_NAME}`
  const fd = fs.openSync(systemPath(path + UNFINISHED), 'w', 0o600)
  // tidy: the keeper's thread serves nobody.
  try {
    const head = Buffer.alloc(HEAD_SIZE)
    head.writeDoubleLE(clock.now, CHECKED_FROM)
    const ahead = clock.seconds - idleSeconds()
    const rules = upkeep.rules
    head.writeUInt32LE(rules.length, RULES_AT)
    const ruled = Buffer.concat(rules.map(encodeRule))
    fs.writeSync(fd, ruled, 0, ruled.length, HEAD_SIZE)
    let count = 0
    let crc = crc32(ruled, crc32(head.subarray(CHECKED_FROM)))
    let size = HEAD_SIZE + ruled.length
    for (let part = 0; ; part++) {
      const records = upkeep.recordsIn(part)
      const bytes = Buffer.concat(records.map((record) => encode(record, ahead)))
      fs.writeSync(fd, bytes, 0, bytes.length, size)
      size += bytes.length
      crc = crc32(bytes, crc)
      count += records.length
      if (upkeep.isLast(part)) break
    }
    head.latin1Write(MAGIC)
    head.writeUInt32LE(VERSION, 8)
    head.writeUInt32LE(count, 12)
    head.writeUInt32LE(crc, 16)
    fs.writeSync(fd, head, 0, HEAD_SIZE, 0)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(systemPath(path + UNFINISHED), systemPath(path))
}

/** What a snapshot says, newest use first, and when it was begun. */
export interface Snapshot {
  readonly records: StoredRecord[]
  readonly rules: readonly PurgeRule[]
  readonly begunMs: number
}

/** Reads a snapshot; undefined when there is none, or what there is is broken. */
export function readSnapshot(folder: string): Snapshot | undefined {
  const path = systemPath(`${folder}/${SNAPSHOT_NAME}`)
  // tidy: the keeper's thread serves nobody.
  try {
    const bytes = fs.readFileSync(path)
    const snapshot = decodeSnapshot(bytes)
    snapshot?.records.sort((a, b) => b.inactiveAt - a.inactiveAt)
    return snapshot
  } catch {
    return undefined
  }
}

/** What a whole snapshot says. */
export function decodeSnapshot(bytes: Buffer): Snapshot | undefined {
  if (bytes.length < HEAD_SIZE || bytes.latin1Slice(0, 8) !== MAGIC || bytes.readUInt32LE(8) !== VERSION)
    return undefined
  if (crc32(bytes.subarray(CHECKED_FROM)) !== bytes.readUInt32LE(16)) return undefined
  const count = bytes.readUInt32LE(12)
  const records: StoredRecord[] = []
  const ruleCount = bytes.readUInt32LE(RULES_AT)
  const rules = decodeRules(bytes.subarray(HEAD_SIZE), ruleCount)
  if (rules.length !== ruleCount) return undefined
  let at = HEAD_SIZE + rulesSize(rules)
  for (let n = 0; n < count; n++) {
    if (at + RECORD_SIZE > bytes.length) return undefined
    const tagCount = bytes[at + 49]!
    const end = at + RECORD_SIZE + tagCount * 4
    if (end > bytes.length) return undefined
    records.push(decode(bytes, at, tagCount))
    at = end
  }
  return at === bytes.length ? { records, rules, begunMs: bytes.readDoubleLE(CHECKED_FROM) } : undefined
}

/** Times of use are written as those of the wall, `ahead` of the process. */
function encode(record: StoredRecord, ahead: number): Buffer {
  const { tags } = record
  const bytes = Buffer.alloc(RECORD_SIZE + tags.length * 4)
  writeKey(bytes, 0, record.key)
  if (record.main !== undefined) writeKey(bytes, 16, record.main)
  bytes.writeUInt32LE(Math.min(record.inactiveAt + ahead, 0xffffffff), 32)
  bytes.writeUInt32LE(record.validUntil, 36)
  bytes.writeUInt32LE(record.blocks, 40)
  bytes.writeUInt16LE(record.bodyStart & 0xffff, 44)
  bytes.writeUInt16LE(record.uses, 46)
  bytes[48] = (record.expired ? EXPIRED : 0) | (record.suspect ? SUSPECT : 0)
  bytes[49] = tags.length
  for (let i = 0; i < tags.length; i++) bytes.writeInt32LE(tags[i]!, RECORD_SIZE + i * 4)
  return bytes
}

function decode(bytes: Buffer, at: number, tagCount: number): StoredRecord {
  const main = readKey(bytes, at + 16)
  return {
    key: readKey(bytes, at),
    main: main.k0 === 0 && main.k1 === 0 && main.k2 === 0 && main.k3 === 0 ? undefined : main,
    inactiveAt: bytes.readUInt32LE(at + 32),
    validUntil: bytes.readUInt32LE(at + 36),
    blocks: bytes.readUInt32LE(at + 40),
    bodyStart: bytes.readUInt16LE(at + 44),
    uses: bytes.readUInt16LE(at + 46),
    expired: (bytes[at + 48]! & EXPIRED) !== 0,
    suspect: (bytes[at + 48]! & SUSPECT) !== 0,
    tags: Array.from({ length: tagCount }, (_, i) => bytes.readInt32LE(at + RECORD_SIZE + i * 4)),
  }
}

function writeKey(bytes: Buffer, at: number, { k0, k1, k2, k3 }: KeyWords): void {
  bytes.writeInt32LE(k0, at)
  bytes.writeInt32LE(k1, at + 4)
  bytes.writeInt32LE(k2, at + 8)
  bytes.writeInt32LE(k3, at + 12)
}

function readKey(bytes: Buffer, at: number): KeyWords {
  return {
    k0: bytes.readInt32LE(at),
    k1: bytes.readInt32LE(at + 4),
    k2: bytes.readInt32LE(at + 8),
    k3: bytes.readInt32LE(at + 12),
  }
}
