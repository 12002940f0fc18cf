/** ngx_brotli: the directives of its filter, and what they say. */
import { flag, number, size, sizeList } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type ConfOf, directive, directives } from '../../../config/directive.ts'
import { MimeSet, mimeTypes } from '../../../http/message/mime-set.ts'
import type { GzipClientRules } from '../../../http/response/gzip-client.ts'
import { brotliLater, brotliPieces, brotliWhole } from '../../../lib/coded-pieces.ts'
import type { Compression, SlowCompression } from './compress.ts'

const HSL = ['http', 'server', 'location'] as const
const WINDOW_BITS_MIN = 10
const WINDOW_BITS_MAX = 24

/** A window in bytes, as the number of bits that Brotli wants. */
const windowBits = mapped(size, (bytes, [word], at) => {
  const bits = Math.log2(bytes)
  if (Number.isInteger(bits) && bits >= WINDOW_BITS_MIN && bits <= WINDOW_BITS_MAX) return bits
  const choices = '1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, 512k, 1m, 2m, 4m, 8m or 16m'
  return at.fail(`"${at.directive.text}" directive must be ${choices}`, word)
})

/** The directives of Brotli. */
export const brotliDirectives = {
  brotli: directive({
    in: ['http', 'server', 'location', 'if'],
    args: flag,
    default: 'off',
    doc: 'Compresses responses with Brotli for clients that like it no less than gzip and zstd.',
  }),
  brotli_buffers: directive({
    in: HSL,
    args: sizeList,
    default: '32 4k',
    doc: 'Buffers for compression.',
    withoutEffect: 'Viaduct chooses the memory for compression itself.',
  }),
  brotli_types: directives({
    in: HSL,
    args: mimeTypes(),
    doc: 'Media types that are compressed beside text/html; `*` means all.',
  }),
  brotli_comp_level: directive({
    in: HSL,
    args: number('level', { min: 0, max: 11 }),
    default: '6',
    doc: 'How hard to try, from 0 to 11. From 10 on files are compressed in another thread, and sent at 6 until then.',
  }),
  brotli_window: directive({
    in: HSL,
    args: windowBits,
    default: '512k',
    doc: 'How far back equal text is looked for; a power of two from 1k to 16m.',
  }),
  brotli_min_length: directive({
    in: HSL,
    args: size,
    default: '20',
    doc: 'Shortest response that is compressed, as far as Content-Length tells.',
  }),
}

/** Levels from here on take many times longer than those before. */
const SLOW_FROM = 10
/** What is sent until a slow level is done. */
const QUICK = 6

/** How a location compresses with Brotli. */
export function brotliCompression(conf: ConfOf<typeof brotliDirectives>, rules: GzipClientRules): Compression {
  const level = conf.brotli_comp_level
  const window = conf.brotli_window
  const at = (quality: number, slow?: SlowCompression): Compression => ({
    name: 'br',
    rules,
    minLength: conf.brotli_min_length,
    types: new MimeSet(conf.brotli_types, 'text/html'),
    variant: `br ${quality} ${window}`,
    whole: (bytes) => brotliWhole(bytes, quality, window),
    pieces: () => brotliPieces(quality, window),
    slow,
  })
  if (level < SLOW_FROM) return at(level)
  const whole: SlowCompression['whole'] = (bytes, done) => brotliLater(bytes, level, window, done)
  return at(level, { quick: at(QUICK), underWay: new WeakSet(), whole })
}
