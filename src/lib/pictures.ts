/**
 * Works on pictures with `sharp`, an optional package that is loaded when a picture is first worked on. It does so in
 * threads of its own.
 */
import { createRequire } from 'node:module'

/** The part of sharp that is used. */
interface Picture {
  rotate(degrees: number): Picture
  resize(width: number, height: number, options: { readonly fit: 'fill' }): Picture
  extract(region: {
    readonly left: number
    readonly top: number
    readonly width: number
    readonly height: number
  }): Picture
  flatten(): Picture
  sharpen(options: { readonly sigma: number }): Picture
  toFormat(format: string, options: Readonly<Record<string, unknown>>): Picture
  toBuffer(): Promise<Buffer>
}
interface Sharp {
  (bytes: Buffer, options: Readonly<Record<string, unknown>>): Picture
  concurrency(threads: number): void
  cache(on: boolean): void
}

const PACKAGE = 'sharp'
/** A picture that is packed small may be huge. */
const PIXELS_MAX = 100_000_000

const require = createRequire(import.meta.url)
let loaded: Sharp | undefined

/** Tells whether the package is installed. */
export function canWorkOnPictures(): boolean {
  try {
    require.resolve(PACKAGE)
    return true
  } catch {
    return false
  }
}

function load(): Sharp {
  if (loaded !== undefined) return loaded
  loaded = require(PACKAGE) as Sharp // its interface is described above
  // Requests are many: each picture needs no threads beside the one that works on it, and no memory afterwards.
  loaded.concurrency(1)
  loaded.cache(false)
  return loaded
}

/** What is to become of a picture. */
export interface PictureWork {
  readonly format: 'jpeg' | 'gif' | 'png' | 'webp'
  /** Counter-clockwise: 0, 90, 180, 270. */
  readonly angle: number
  /** To be scaled to this, before it is turned. */
  readonly width: number
  readonly height: number
  /** To be cut out of the middle, after that; undefined: all of it. */
  readonly cut: { readonly width: number; readonly height: number } | undefined
  /** Without transparency. */
  readonly opaque: boolean
  /** In percent; 0: not at all. */
  readonly sharpen: number
  readonly interlace: boolean
  readonly quality: number
}

/** Changes a picture; a text instead says why that was impossible. */
export async function changePicture(bytes: Buffer, work: PictureWork): Promise<Buffer | string> {
  const { format, angle, cut, quality, interlace } = work
  const isTurned = angle === 90 || angle === 270
  const width = isTurned ? work.height : work.width
  const height = isTurned ? work.width : work.height
  try {
    let picture = load()(bytes, { limitInputPixels: PIXELS_MAX, failOn: 'error' })
    if (angle !== 0) picture = picture.rotate(360 - angle)
    picture = picture.resize(width, height, { fit: 'fill' })
    if (cut !== undefined) {
      const left = (width - cut.width) >> 1
      const top = (height - cut.height) >> 1
      picture = picture.extract({ left, top, ...cut })
    }
    if (work.opaque) picture = picture.flatten()
    if (work.sharpen > 0) picture = picture.sharpen({ sigma: 0.5 + work.sharpen / 100 })
    const options =
      format === 'webp' ? { quality } : { progressive: interlace, ...(format === 'jpeg' ? { quality } : {}) }
    return await picture.toFormat(format, options).toBuffer()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
