/** ngx_http_gzip_filter_module: its directives, and what they say. */
import { failDirective, flag, number, size, sizeList, word } from '../../../config/args.ts'
import { type ConfOf, directive, directives } from '../../../config/directive.ts'
import { parseSize } from '../../../config/units.ts'
import { MimeSet, mimeTypes } from '../../../http/message/mime-set.ts'
import { type GzipClientRules, gzipClientDirectives } from '../../../http/response/gzip-client.ts'
import { GzipPieces, gzipWhole } from '../../../lib/gzip-pieces.ts'
import type { Compression } from './compress.ts'

const HSL = ['http', 'server', 'location'] as const
const INNER = { withoutEffect: 'Viaduct chooses the memory for compression itself.' }

const powerOfTwo = (max: number, choices: string) =>
  word('size', (w, at) => {
    const value = parseSize(w.text)
    if (value === undefined) return failDirective(at, 'invalid value', w)
    const fits = value >= 512 && value <= max && Number.isInteger(Math.log2(value))
    return fits ? value : at.fail(`"${at.directive.text}" directive must be 512, 1k, 2k, 4k, 8k, 16k, ${choices}`, w)
  })

/** The directives of gzip. */
export const gzipDirectives = {
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
}

/** How a location compresses with gzip. */
export function gzipCompression(conf: ConfOf<typeof gzipDirectives>, rules: GzipClientRules): Compression {
  const level = conf.gzip_comp_level
  return {
    name: 'gzip',
    rules,
    minLength: conf.gzip_min_length,
    types: new MimeSet(conf.gzip_types, 'text/html'),
    variant: `gzip ${level}`,
    whole: (bytes) => gzipWhole(bytes, level),
    pieces: () => new GzipPieces(level),
  }
}
