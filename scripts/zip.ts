/** Archives as PKWARE describes them (APPNOTE 6.3), as far as a package of an editor needs it. */
import { crc32, deflateRawSync } from 'node:zlib'

const LOCAL_HEADER = 0x04034b50
const CENTRAL_HEADER = 0x02014b50
const END_OF_DIRECTORY = 0x06054b50
const VERSION = 20
const DEFLATED = 8
/** Names are UTF-8. */
const FLAGS = 0x0800
/** 1980-01-01: archives of the same files are the same. */
const DATE = 0x21

/** Returns the bytes of an archive. */
export function zip(files: readonly (readonly [name: string, content: Uint8Array])[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of files) {
    const packed = deflateRawSync(content, { level: 9 })
    const label = Buffer.from(name)
    const facts = words(
      [VERSION, 2],
      [FLAGS, 2],
      [DEFLATED, 2],
      [0, 2],
      [DATE, 2],
      [crc32(content), 4],
      [packed.length, 4],
      [content.length, 4],
      [label.length, 2],
      [0, 2],
    )
    parts.push(words([LOCAL_HEADER, 4]), facts, label, packed)
    directory.push(
      words([CENTRAL_HEADER, 4], [VERSION, 2]),
      facts,
      words([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]),
      label,
    )
    offset += 4 + facts.length + label.length + packed.length
  }
  const list = Buffer.concat(directory)
  const end = words(
    [END_OF_DIRECTORY, 4],
    [0, 2],
    [0, 2],
    [files.length, 2],
    [files.length, 2],
    [list.length, 4],
    [offset, 4],
    [0, 2],
  )
  return Buffer.concat([...parts, list, end])
}

function words(...list: readonly (readonly [value: number, bytes: 2 | 4])[]): Buffer {
  const out = Buffer.alloc(list.reduce((sum, [, bytes]) => sum + bytes, 0))
  let at = 0
  for (const [value, bytes] of list) at = out.writeUIntLE(value, at, bytes)
  return out
}
