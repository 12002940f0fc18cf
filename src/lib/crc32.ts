/** CRC-32 (ISO 3309) over binary strings, as nginx's `ngx_crc32_long`: cache files, `hash`, and shared-zone keys. */

const TABLE = buildTable()

/** Returns the unsigned CRC of the bytes of `text`, going on from the CRC of what came before. */
export function crc32(text: string, before = 0): number {
  let crc = ~before
  for (let i = 0; i < text.length; i++) crc = TABLE[(crc ^ text.charCodeAt(i)) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function buildTable(): Int32Array {
  const table = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
    table[byte] = crc
  }
  return table
}
