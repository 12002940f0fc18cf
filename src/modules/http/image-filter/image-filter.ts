/**
 * ngx_http_image_filter_module: tests, measures, scales, cuts and turns pictures, by the optional package `sharp` in place
 * of libgd. The head of a response waits until its picture is ready.
 */
import { flag, size } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type Args, directive, directives, type ReadContext } from '../../../config/directive.ts'
import type { Word } from '../../../config/source.ts'
import { parseNumber } from '../../../config/units.ts'
import { type AttachContext, httpModule } from '../../../http/compile/module.ts'
import { UNKNOWN } from '../../../http/message/response-head.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSlot } from '../../../http/request/slots.ts'
import { canWorkOnPictures } from '../../../lib/pictures.ts'
import { ERROR } from '../../../log/error-log.ts'
import { readTemplate, type Template, template } from '../../../value/template.ts'
import { type ImageConf, type ImageWork, PictureBody } from './picture-body.ts'

const HSL = ['http', 'server', 'location'] as const
const MIXED = 'multipart/x-mixed-replace'

/** One line; a filter is made of several: what to do, and how to turn it. */
type Line =
  | { readonly work: 'off' | 'test' | 'size' }
  | { readonly work: 'rotate'; readonly angle: Template }
  | { readonly work: 'resize' | 'crop'; readonly width: Template; readonly height: Template }

const line: Args<Line> = {
  syntax: 'off | test | size | rotate 90 | 180 | 270 | resize width height | crop width height',
  min: 1,
  max: 3,
  read(words, at) {
    const [first, second, third] = words
    const work = first!.text
    if (words.length === 1 && (work === 'off' || work === 'test' || work === 'size')) return { work }
    if (words.length === 2 && work === 'rotate') {
      return { work, angle: value(second!, at, (n) => n === 90 || n === 180 || n === 270) }
    }
    if (words.length === 3 && (work === 'resize' || work === 'crop')) {
      return { work, width: value(second!, at, isSet), height: value(third!, at, isSet) }
    }
    return at.fail(`invalid parameter "${work}"`, first)
  },
}

const isSet = (n: number): boolean => n > 0

function value(word: Word, at: ReadContext, fits: (n: number) => boolean): Template {
  const read = readTemplate(word, at)
  if (read.constant !== undefined && !fits(numberOf(read.constant))) at.fail(`invalid parameter "${word.text}"`, word)
  return read
}

/** A number; `-` is one that is never reached, and 0 stands for what is none (ngx_http_image_filter_value). */
function numberOf(text: string): number {
  return text === '-' ? Number.POSITIVE_INFINITY : (parseNumber(text) ?? 0)
}

const quality = (least: number) =>
  mapped(template('value'), (read, [word], at) => {
    const { constant } = read
    if (constant !== undefined && (parseNumber(constant) ?? 0) < least) at.fail(`invalid value "${constant}"`, word)
    return read
  })

/** The module list's entry. */
export const imageFilterModule = httpModule({
  name: 'http_image_filter',
  doc: 'Tests and changes pictures.',
  directives: {
    image_filter: directives({
      in: ['location'],
      args: line,
      doc: 'What becomes of pictures (JPEG, GIF, PNG, WebP); what is none is answered with 415.',
    }),
    image_filter_buffer: directive({
      in: HSL,
      args: size,
      default: '1M',
      doc: 'The most bytes that a picture may have.',
    }),
    image_filter_interlace: directive({
      in: HSL,
      args: flag,
      default: 'off',
      doc: 'Makes pictures that appear bit by bit.',
    }),
    image_filter_jpeg_quality: directive({
      in: HSL,
      args: quality(1),
      default: '75',
      doc: 'Quality of JPEG, 1 to 100.',
    }),
    image_filter_sharpen: directive({ in: HSL, args: quality(0), default: '0', doc: 'Sharpens pictures, in percent.' }),
    image_filter_transparency: directive({
      in: HSL,
      args: flag,
      default: 'on',
      doc: 'Keeps the transparency of pictures with a palette.',
    }),
    image_filter_webp_quality: directive({
      in: HSL,
      args: quality(1),
      default: '80',
      doc: 'Quality of WebP, 1 to 100.',
    }),
  },
  attach(conf, plan, at) {
    const work = workOf(conf.image_filter)
    if (work === 'off') return
    if (work !== 'test' && work !== 'size' && !at.checked && !canWorkOnPictures()) {
      at.fail('"image_filter" needs the package "sharp", which is not installed: npm install sharp', at.scope.at)
    }
    const number = (read: Template | undefined) => compileNumber(read, at)
    plan.headerFilter<ImageConf>(filter, {
      work,
      width: number(sizesOf(conf.image_filter)?.width),
      height: number(sizesOf(conf.image_filter)?.height),
      angle: number(angleOf(conf.image_filter)),
      bufferSize: conf.image_filter_buffer,
      interlace: conf.image_filter_interlace,
      transparency: conf.image_filter_transparency,
      sharpen: number(conf.image_filter_sharpen),
      jpegQuality: number(conf.image_filter_jpeg_quality),
      webpQuality: number(conf.image_filter_webp_quality),
    })
  },
})

/** The last line says what to do; `rotate` adds to `resize` and `crop`. */
function workOf(lines: readonly Line[]): ImageWork | 'off' {
  let work: ImageWork | 'off' = 'off'
  for (const next of lines) {
    if (next.work !== 'rotate' || (work !== 'resize' && work !== 'crop')) work = next.work
  }
  return work
}

function sizesOf(lines: readonly Line[]): { readonly width: Template; readonly height: Template } | undefined {
  const last = lines.findLast(({ work }) => work === 'resize' || work === 'crop')
  return last !== undefined && 'width' in last ? last : undefined
}

function angleOf(lines: readonly Line[]): Template | undefined {
  const last = lines.findLast(({ work }) => work === 'rotate')
  return last !== undefined && 'angle' in last ? last.angle : undefined
}

/** A setting that may depend on the request. */
function compileNumber(read: Template | undefined, at: AttachContext): (r: Request) => number {
  if (read === undefined) return () => 0
  if (read.constant !== undefined) {
    const constant = numberOf(read.constant)
    return () => constant
  }
  const text: Text = at.text(read)
  return (r) => numberOf(text(r))
}

/** The response has been through the filter: an error page for it is not changed. */
const filtered = defineSlot<boolean>()

function filter(r: Request, conf: ImageConf): void {
  const { out } = r
  if (out.status === 304 || out.status === 204) return
  if (r.get(filtered) === true) {
    r.set(filtered, undefined)
    return
  }
  r.set(filtered, true)
  if (out.contentType.slice(0, MIXED.length).toLowerCase() === MIXED) {
    r.logError(ERROR, `image filter: ${MIXED} response`)
    r.refusal = 415
  } else if (out.contentLength !== UNKNOWN && out.contentLength > conf.bufferSize) {
    r.logError(ERROR, `image filter: too big response: ${out.contentLength}`)
    r.refusal = 415
  } else {
    out.remove('refresh')
    out.clearRanges()
    out.seekable = false
    r.holdHead(new PictureBody(r, conf))
  }
}
