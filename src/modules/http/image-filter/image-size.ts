/** What the first bytes of a picture say about it (ngx_http_image_test, ngx_http_image_size). */

/** The kinds of pictures, as they stand behind `image/`. */
export type ImageType = 'jpeg' | 'gif' | 'png' | 'webp'

/** So many bytes tell the kind. */
export const TEST_SIZE = 16
const GIF = /^GIF8[79]a/
const PNG = '\x89PNG\r\n\x1a\n'
const PNG_COLOR_TYPE = 25
const PNG_PALETTE = 3
const WEBP = /^RIFF.{4}WEBP/s
/** Frames of JPEG whose head has the size. */
const FRAMES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2, 0xc3, 0xc9, 0xca, 0xcb])

/** The kind of a picture, by its first bytes; undefined when it is none. */
export function imageType(bytes: Buffer): ImageType | undefined {
  if (bytes.length < TEST_SIZE) return undefined
  const start = bytes.latin1Slice(0, TEST_SIZE)
  if (start.startsWith('\xff\xd8')) return 'jpeg'
  if (GIF.test(start)) return 'gif'
  if (start.startsWith(PNG)) return 'png'
  return WEBP.test(start) ? 'webp' : undefined
}

/** Width and height in pixels. */
export interface ImageSize {
  readonly width: number
  readonly height: number
  /** Bytes of what is not the picture itself (Exif and its kin). */
  readonly extra: number
}

/** Tells whether a picture has few colours, of which one may be transparent. */
export function hasPalette(bytes: Buffer, type: ImageType): boolean {
  return type === 'gif' || (type === 'png' && bytes[PNG_COLOR_TYPE] === PNG_PALETTE)
}

/** The size of a picture, or undefined when its head is broken. */
export function imageSize(bytes: Buffer, type: ImageType): ImageSize | undefined {
  switch (type) {
    case 'jpeg':
      return jpegSize(bytes)
    case 'gif':
      return size(bytes.readUInt16LE(6), bytes.readUInt16LE(8))
    case 'png':
      return bytes.length < 24 ? undefined : size(bytes.readUInt16BE(18), bytes.readUInt16BE(22))
    default:
      return bytes.length < 30 ? undefined : webpSize(bytes)
  }
}

function size(width: number, height: number, extra = 0): ImageSize {
  return { width, height, extra }
}

function jpegSize(bytes: Buffer): ImageSize | undefined {
  let width = 0
  let height = 0
  let extra = 0
  for (let at = 2; at < bytes.length - 10; at++) {
    if (bytes[at] !== 0xff || bytes[at + 1] === 0xff) continue
    const marker = bytes[++at]!
    if (FRAMES.has(marker) && (width === 0 || height === 0)) {
      height = bytes.readUInt16BE(at + 4)
      width = bytes.readUInt16BE(at + 6)
    }
    const length = bytes.readUInt16BE(at + 1)
    if (marker >= 0xe1 && marker <= 0xef) extra += length
    at += length - 1
  }
  return width === 0 || height === 0 ? undefined : size(width, height, extra)
}

function webpSize(bytes: Buffer): ImageSize | undefined {
  const kind = bytes.latin1Slice(12, 16)
  if (kind === 'VP8 ') {
    const isKeyFrame = (bytes[20]! & 1) === 0 && bytes.readUIntBE(23, 3) === 0x9d012a
    return isKeyFrame ? size(bytes.readUInt16LE(26) & 0x3fff, bytes.readUInt16LE(28) & 0x3fff) : undefined
  }
  if (kind === 'VP8L') {
    if (bytes[20] !== 0x2f) return undefined
    const bits = bytes.readUInt32LE(21)
    return size((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1)
  }
  return kind === 'VP8X' ? size(bytes.readUIntLE(24, 3) + 1, bytes.readUIntLE(27, 3) + 1) : undefined
}
