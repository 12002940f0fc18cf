/**
 * Collects the body of a picture, has it changed, and then sends head and body. While another thread works on it, this
 * stands in the producer's place, so that a client that leaves ends it.
 */
import { BodySink, LAST, type Producer, STABLE } from '../../../http/message/body.ts'
import type { Request } from '../../../http/request/request.ts'
import { NO_BYTES } from '../../../lib/bytes.ts'
import { changePicture, type PictureWork } from '../../../lib/pictures.ts'
import { ERROR } from '../../../log/error-log.ts'
import { hasPalette, type ImageSize, type ImageType, imageSize, imageType, TEST_SIZE } from './image-size.ts'

/** What a location does to pictures. */
export type ImageWork = 'test' | 'size' | 'rotate' | 'resize' | 'crop'

/** The settings of a location. */
export interface ImageConf {
  readonly work: ImageWork
  readonly width: (r: Request) => number
  readonly height: (r: Request) => number
  readonly angle: (r: Request) => number
  readonly bufferSize: number
  readonly interlace: boolean
  readonly transparency: boolean
  readonly sharpen: (r: Request) => number
  readonly jpegQuality: (r: Request) => number
  readonly webpQuality: (r: Request) => number
}

/** More than a twentieth of what is not the picture itself is a reason to make it anew. */
const EXTRA_SHARE = 20
const QUALITY_MAX = 100
const SHARPEN_MAX = 100

/** The body of one response. */
export class PictureBody extends BodySink implements Producer {
  readonly #r: Request
  readonly #conf: ImageConf
  readonly #isHead: boolean
  #held: Buffer[] = []
  #heldSize = 0
  #type: ImageType | undefined
  /** Where the body goes once the head is sent. */
  #next: BodySink | undefined
  #done = false
  /** What comes is dropped: it is no picture. */
  #isNone = false

  constructor(r: Request, conf: ImageConf) {
    super()
    this.#r = r
    this.#conf = conf
    // The head of an answer to HEAD tells of the picture, too.
    this.#isHead = r.headerOnly
    r.headerOnly = false
  }

  write(bytes: Uint8Array, flags: number): boolean {
    if (this.#next !== undefined) return this.#next.write(bytes, flags)
    if (this.#done) return true
    if (this.#isNone) return (flags & LAST) === 0 || this.#sendSize(undefined)
    this.#held.push((flags & STABLE) !== 0 ? (bytes as Buffer) : Buffer.from(bytes))
    this.#heldSize += bytes.length
    const last = (flags & LAST) !== 0
    if (this.#heldSize > this.#conf.bufferSize && this.#conf.work !== 'test') {
      this.#r.logError(ERROR, 'image filter: too big response')
      return this.#refuse()
    }
    if (this.#type === undefined) {
      if (this.#heldSize < TEST_SIZE && !last) return true
      this.#type = imageType(this.#join())
      if (this.#type === undefined) return this.#noPicture(last)
    }
    if (this.#conf.work === 'test') return this.#pass(last)
    if (last) this.#work(this.#join(), this.#type)
    return true
  }

  #join(): Buffer {
    if (this.#held.length > 1) this.#held = [Buffer.concat(this.#held)]
    return this.#held[0] ?? NO_BYTES
  }

  /** For `size` that is an answer, too, once all has come in whose place it is sent. */
  #noPicture(last: boolean): boolean {
    if (this.#conf.work !== 'size') return this.#refuse()
    if (last) return this.#sendSize(undefined)
    this.#held = []
    this.#heldSize = 0
    this.#isNone = true
    return true
  }

  #refuse(): boolean {
    this.#done = true
    this.#held = []
    this.#r.headerOnly = this.#isHead
    this.#r.answerHeld(415)
    return true
  }

  /** It is a picture: it goes on as it is, under its right name. */
  #pass(last: boolean): boolean {
    const body = this.#join()
    this.#held = []
    this.#setType()
    this.#next = this.#sendHead()
    return this.#next.write(this.#r.headerOnly ? NO_BYTES : body, last ? LAST | STABLE : STABLE)
  }

  #setType(): void {
    this.#r.out.contentType = `image/${this.#type}`
  }

  #sendHead(): BodySink {
    this.#r.headerOnly = this.#isHead
    return this.#r.sendHeldHead()
  }

  #work(body: Buffer, type: ImageType): void {
    const r = this.#r
    const { work } = this.#conf
    const found = imageSize(body, type)
    if (work === 'size') {
      this.#sendSize(found)
      return
    }
    this.#setType()
    const plan = planOf(r, this.#conf, type, found, body)
    if (plan === undefined) this.#refuse()
    else if (plan === AS_IS) this.#send(body)
    else this.#change(body, plan)
  }

  #change(body: Buffer, plan: PictureWork): void {
    const r = this.#r
    this.#held = []
    r.producer = this
    // tidy: another thread works on it; a response that ends meanwhile drops this.
    changePicture(body, plan).then((outcome) => {
      if (this.#done) return
      r.producer = undefined
      if (typeof outcome === 'string') {
        r.logError(ERROR, `image filter: ${outcome}`)
        this.#refuse()
        return
      }
      const { etag } = r.out
      if (etag !== '' && !etag.startsWith('W/')) r.out.etag = etag.startsWith('"') ? `W/${etag}` : ''
      this.#send(outcome)
    })
  }

  #send(bytes: Buffer): boolean {
    this.#done = true
    this.#held = []
    this.#r.out.contentLength = bytes.length
    const next = this.#sendHead()
    return next.write(this.#r.headerOnly ? NO_BYTES : bytes, LAST | STABLE)
  }

  #sendSize(found: ImageSize | undefined): boolean {
    const { out } = this.#r
    out.reset()
    out.status = 200
    out.contentType = 'application/json'
    const { width, height } = found ?? { width: 0, height: 0 }
    const text = `{ "img" : { "width": ${width}, "height": ${height}, "type": "${this.#type}" } }\r\n`
    return this.#send(Buffer.from(found === undefined ? '{}\r\n' : text))
  }

  onDrain(): void {}

  onAbort(): void {
    this.#done = true
  }

  override abort(): void {
    this.#done = true
    this.#held = []
    this.#next?.abort()
  }
}

/** The picture is small enough already. */
const AS_IS = 'as it is'

/** What to do (ngx_http_image_process, ngx_http_image_resize); undefined: the settings make no sense for this request. */
function planOf(
  r: Request,
  conf: ImageConf,
  type: ImageType,
  found: ImageSize | undefined,
  body: Buffer,
): PictureWork | typeof AS_IS | undefined {
  const { work } = conf
  const angle = conf.angle(r)
  const isTurned = angle === 90 || angle === 180 || angle === 270
  const widthMax = work === 'rotate' ? Number.POSITIVE_INFINITY : conf.width(r)
  const heightMax = work === 'rotate' ? Number.POSITIVE_INFINITY : conf.height(r)
  if ((work === 'rotate' && !isTurned) || widthMax === 0 || heightMax === 0 || found === undefined) return undefined
  const { width, height, extra } = found
  const fits = width <= widthMax && height <= heightMax
  if (fits && !isTurned && extra <= Math.floor(body.length / EXTRA_SHARE)) return AS_IS
  const scaled = work === 'resize' ? within(found, widthMax, heightMax) : covering(found, widthMax, heightMax)
  const quality = type === 'webp' ? conf.webpQuality(r) : conf.jpegQuality(r)
  if (quality === 0 && (type === 'webp' || type === 'jpeg')) return undefined
  return {
    format: type,
    angle: isTurned ? angle : 0,
    width: scaled.width,
    height: scaled.height,
    cut: work === 'crop' ? cutOf(scaled, widthMax, heightMax, angle) : undefined,
    opaque: !conf.transparency && hasPalette(body, type),
    sharpen: Math.min(conf.sharpen(r), SHARPEN_MAX),
    interlace: conf.interlace,
    quality: Math.min(quality, QUALITY_MAX),
  }
}

interface Box {
  readonly width: number
  readonly height: number
}

/** Scaled down so that both sides fit. */
function within({ width, height }: Box, widthMax: number, heightMax: number): Box {
  let box: Box = { width, height }
  if (box.width > widthMax) box = { width: widthMax, height: share(box.height, widthMax, box.width) }
  if (box.height > heightMax) box = { width: share(box.width, heightMax, box.height), height: heightMax }
  return box
}

/** Scaled down so that the side fits that is relatively shorter; the other one is cut. */
function covering({ width, height }: Box, widthMax: number, heightMax: number): Box {
  if (width / height < widthMax / heightMax) {
    return width > widthMax ? { width: widthMax, height: share(height, widthMax, width) } : { width, height }
  }
  return height > heightMax ? { width: share(width, heightMax, height), height: heightMax } : { width, height }
}

function share(of: number, part: number, whole: number): number {
  return Math.max(1, Math.floor((of * part) / whole))
}

function cutOf({ width, height }: Box, widthMax: number, heightMax: number, angle: number): Box | undefined {
  const isAside = angle === 90 || angle === 270
  const turned = isAside ? { width: height, height: width } : { width, height }
  if (turned.width <= widthMax && turned.height <= heightMax) return undefined
  return { width: Math.min(turned.width, widthMax), height: Math.min(turned.height, heightMax) }
}
