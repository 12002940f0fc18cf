/**
 * ngx_http_gzip_filter_module: compresses responses. A file that is served from memory is compressed once and the
 * result remembered with it; any other body is compressed as it passes.
 */
import { flag, number, size, sizeList, word } from '../../config/args.ts'
import { directive, directives } from '../../config/directive.ts'
import { parseSize } from '../../config/units.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { FileEntry } from '../../http/files/file-entry.ts'
import { fileMemory } from '../../http/files/file-memory.ts'
import { BodyFilter, type BodySink, FLUSH, LAST, STABLE } from '../../http/message/body.ts'
import { MimeSet, mimeTypes } from '../../http/message/mime-set.ts'
import { UNKNOWN } from '../../http/message/response-head.ts'
import type { Request } from '../../http/request/request.ts'
import { defineSlot } from '../../http/request/slots.ts'
import {
  acceptsGzip,
  type GzipClientRules,
  gzipClientDirectives,
  gzipClientRules,
  noteVary,
} from '../../http/response/gzip-client.ts'
import { GzipPieces, gzipWhole } from '../../lib/gzip-pieces.ts'

const HSL = ['http', 'server', 'location'] as const
const INNER = { withoutEffect: 'Viaduct chooses the memory for compression itself.' }
/** Bytes that are collected before they are compressed, unless they are to be flushed. */
const PIECE_SIZE = 65536

const powerOfTwo = (max: number, choices: string) =>
  word('size', (w, at) => {
    const value = parseSize(w.text)
    const fits = value !== undefined && value >= 512 && value <= max && Number.isInteger(Math.log2(value))
    return fits ? value : at.fail(`"${at.directive.text}" directive must be 512, 1k, 2k, 4k, 8k, 16k, ${choices}`, w)
  })

interface GzipConf {
  readonly rules: GzipClientRules
  readonly level: number
  readonly minLength: number
  readonly types: MimeSet
  /** The name of this compression among the forms of a file. */
  readonly variant: string
}

/** Bytes in and out, for `$gzip_ratio`. */
interface Ratio {
  bytesIn: number
  bytesOut: number
}
const ratios = defineSlot<Ratio>()

/** The module list's entry. */
export const gzipModule = httpModule({
  name: 'http_gzip',
  doc: 'Compresses responses.',
  directives: {
    gzip: directive({
      in: ['http', 'server', 'location', 'if'],
      args: flag,
      default: 'off',
      doc: 'Compresses responses for clients that take gzip.',
    }),
    gzip_buffers: directive({ in: HSL, args: sizeList, default: '32 4k', doc: 'Buffers for compression.', ...INNER }),
    gzip_types: directives({
      in: HSL,
      args: mimeTypes(),
      doc: 'Media types that are compressed beside text/html; `*` means all.',
    }),
    gzip_comp_level: directive({
      in: HSL,
      args: number('level', { min: 1, max: 9 }),
      default: '1',
      doc: 'How hard to try, from 1 to 9.',
    }),
    gzip_window: directive({
      in: HSL,
      args: powerOfTwo(32768, 'or 32k'),
      default: '32k',
      doc: 'Window of zlib.',
      ...INNER,
    }),
    gzip_hash: directive({
      in: HSL,
      args: powerOfTwo(131072, '32k, 64k, or 128k'),
      default: '64k',
      doc: 'Hash of zlib.',
      ...INNER,
    }),
    postpone_gzipping: directive({ in: HSL, args: size, default: '0', doc: 'Bytes to collect first.', ...INNER }),
    gzip_no_buffer: directive({
      in: HSL,
      args: flag,
      default: 'off',
      doc: 'Sends what is compressed at once.',
      ...INNER,
    }),
    gzip_min_length: directive({
      in: HSL,
      args: size,
      default: '20',
      doc: 'Shortest response that is compressed, as far as Content-Length tells.',
    }),
    ...gzipClientDirectives,
  },
  variables: { gzip_ratio: ratioText },
  attach(conf, plan, at) {
    if (!conf.gzip) return
    plan.headerFilter(compress, {
      rules: gzipClientRules(at.scope),
      level: conf.gzip_comp_level,
      minLength: conf.gzip_min_length,
      types: new MimeSet(conf.gzip_types, 'text/html'),
      variant: `gzip ${conf.gzip_comp_level}`,
    })
  },
})

function compress(r: Request, conf: GzipConf): void {
  const { out } = r
  const { status } = out
  if ((status !== 200 && status !== 403 && status !== 404) || out.contentEncoding !== '') return
  if (out.contentLength !== UNKNOWN && out.contentLength < conf.minLength) return
  if (!conf.types.has(out.contentType)) return
  noteVary(r, conf.rules)
  if (!acceptsGzip(r, conf.rules)) return
  const file = out.seekable && !r.filtered ? out.file : undefined
  const original = out.contentLength
  out.transform()
  out.contentEncoding = 'gzip'
  const ratio: Ratio = { bytesIn: 0, bytesOut: 0 }
  r.set(ratios, ratio)
  if (file?.content !== undefined) {
    const bytes = variantOf(file, file.content, conf)
    out.replacement = bytes
    out.contentLength = bytes.length
    ratio.bytesIn = original
    ratio.bytesOut = bytes.length
  } else {
    r.addBodyFilter((next) => new GzipBody(next, conf.level, ratio))
  }
}

function variantOf(file: FileEntry, content: Buffer, conf: GzipConf): Buffer {
  const known = file.variants?.get(conf.variant)
  if (known !== undefined) return known
  const bytes = gzipWhole(content, conf.level)
  fileMemory.putVariant(file, conf.variant, bytes)
  return bytes
}

/** Compresses a body: in one go when it is short, else in pieces. */
class GzipBody extends BodyFilter {
  readonly #level: number
  readonly #ratio: Ratio
  #held: Buffer[] = []
  #heldSize = 0
  #pieces: GzipPieces | undefined

  constructor(next: BodySink, level: number, ratio: Ratio) {
    super(next)
    this.#level = level
    this.#ratio = ratio
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const due = (flags & (LAST | FLUSH)) !== 0 || this.#heldSize + bytes.length >= PIECE_SIZE
    if (!due) {
      if (bytes.length > 0) this.#hold(Buffer.from(bytes))
      return true
    }
    this.#hold(bytes as Buffer)
    return this.#compress(flags)
  }

  #hold(bytes: Buffer): void {
    this.#held.push(bytes)
    this.#heldSize += bytes.length
  }

  #compress(flags: number): boolean {
    const last = (flags & LAST) !== 0
    const input = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held)
    this.#held = []
    this.#heldSize = 0
    if (input.length === 0 && !last) return this.next.write(input, flags)
    let output: Buffer
    if (last && this.#pieces === undefined) {
      output = gzipWhole(input, this.#level)
    } else {
      this.#pieces ??= new GzipPieces(this.#level)
      output = this.#pieces.next(input, last)
    }
    this.#ratio.bytesIn += input.length
    this.#ratio.bytesOut += output.length
    return this.next.write(output, (flags & (LAST | FLUSH)) | STABLE)
  }

  override abort(): void {
    this.#held = []
    super.abort()
  }
}

/** `$gzip_ratio`: how many times smaller, with two digits. */
function ratioText(r: Request): string | undefined {
  const ratio = r.get(ratios)
  if (ratio === undefined || ratio.bytesOut === 0) return undefined
  let whole = Math.floor(ratio.bytesIn / ratio.bytesOut)
  let hundredths = Math.floor((ratio.bytesIn * 100) / ratio.bytesOut) % 100
  if (Math.floor((ratio.bytesIn * 1000) / ratio.bytesOut) % 10 > 4 && ++hundredths > 99) {
    whole++
    hundredths = 0
  }
  return `${whole}.${String(hundredths).padStart(2, '0')}`
}
