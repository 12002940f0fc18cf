/** zstd-nginx-module: the directives of its filter, and what they say. */
import { failDirective, flag, size, sizeList, text, word } from '../../../config/args.ts'
import { type ConfOf, directive, directives } from '../../../config/directive.ts'
import { parseNumber } from '../../../config/units.ts'
import { MimeSet, mimeTypes } from '../../../http/message/mime-set.ts'
import type { GzipClientRules } from '../../../http/response/gzip-client.ts'
import { zstdLater, zstdPieces, zstdWhole } from '../../../lib/coded-pieces.ts'
import type { Compression, SlowCompression } from './compress.ts'

const HSL = ['http', 'server', 'location'] as const
/** ZSTD_minCLevel and ZSTD_maxCLevel. */
const LEVEL_MIN = -131072
const LEVEL_MAX = 22

const level = word('level', (w, at) => {
  const negative = w.text.startsWith('-')
  const value = parseNumber(negative ? w.text.slice(1) : w.text)
  if (value === undefined) return failDirective(at, 'invalid number', w)
  const signed = negative ? -value : value
  if (value !== 0 && signed >= LEVEL_MIN && signed <= LEVEL_MAX) return signed
  return at.fail(`zstd compress level must between ${LEVEL_MIN} and ${LEVEL_MAX} excluding 0`, w)
})

/** The directives of Zstandard. */
export const zstdDirectives = {
  zstd: directive({
    in: ['http', 'server', 'location', 'if'],
    args: flag,
    default: 'off',
    doc: 'Compresses responses with Zstandard for clients that like it more than Brotli and no less than gzip.',
  }),
  zstd_buffers: directive({
    in: HSL,
    args: sizeList,
    default: '32 4k',
    doc: 'Buffers for compression.',
    withoutEffect: 'Viaduct chooses the memory for compression itself.',
  }),
  zstd_types: directives({
    in: HSL,
    args: mimeTypes(),
    doc: 'Media types that are compressed beside text/html; `*` means all.',
  }),
  zstd_comp_level: directive({
    in: HSL,
    args: level,
    default: '1',
    doc: 'How hard to try, from 1 to 22, or less than 0 for even less. From 16 on files are compressed in another thread, and sent at 9 until then; from 20 on the window is 8m.',
  }),
  zstd_min_length: directive({
    in: HSL,
    args: size,
    default: '20',
    doc: 'Shortest response that is compressed, as far as Content-Length tells.',
  }),
  zstd_dict_file: directive({
    in: ['http'],
    args: text('file'),
    doc: 'A dictionary that clients would have to know beforehand.',
    unsupported: 'No client can say that it knows the dictionary; remove the line.',
  }),
}

/** Levels from here on take many times longer than those before. */
const SLOW_FROM = 16
/** What is sent until a slow level is done. */
const QUICK = 9

/** How a location compresses with Zstandard. */
export function zstdCompression(conf: ConfOf<typeof zstdDirectives>, rules: GzipClientRules): Compression {
  const chosen = conf.zstd_comp_level
  const at = (hard: number, slow?: SlowCompression): Compression => ({
    name: 'zstd',
    rules,
    minLength: conf.zstd_min_length,
    types: new MimeSet(conf.zstd_types, 'text/html'),
    variant: `zstd ${hard}`,
    whole: (bytes) => zstdWhole(bytes, hard),
    pieces: () => zstdPieces(hard),
    slow,
  })
  if (chosen < SLOW_FROM) return at(chosen)
  const whole: SlowCompression['whole'] = (bytes, done) => zstdLater(bytes, chosen, done)
  return at(chosen, { quick: at(QUICK), underWay: new WeakSet(), whole })
}
