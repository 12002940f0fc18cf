/** gzip, Brotli and Zstandard as one module: a response is compressed with one of them. */
import { httpModule } from '../../../http/compile/module.ts'
import { gzipClientRules } from '../../../http/response/gzip-client.ts'
import { brotliCompression, brotliDirectives } from './brotli.ts'
import { type Compression, compress, ratioText } from './compress.ts'
import { gzipCompression, gzipDirectives } from './gzip.ts'
import { zstdCompression, zstdDirectives } from './zstd.ts'

/** The module list's entry. */
export const compressionModule = httpModule({
  name: 'http_compression',
  doc: "Compresses responses: nginx's gzip, ngx_brotli and zstd-nginx-module.",
  directives: { ...gzipDirectives, ...brotliDirectives, ...zstdDirectives },
  variables: {
    gzip_ratio: (r) => ratioText(r, 'gzip', 2),
    brotli_ratio: (r) => ratioText(r, 'br', 2),
    zstd_ratio: (r) => ratioText(r, 'zstd', 3),
  },
  attach(conf, plan, at) {
    if (!conf.gzip && !conf.brotli && !conf.zstd) return
    const rules = gzipClientRules(at.scope)
    const list: Compression[] = []
    if (conf.brotli) list.push(brotliCompression(conf, rules))
    if (conf.zstd) list.push(zstdCompression(conf, rules))
    if (conf.gzip) list.push(gzipCompression(conf, rules))
    plan.headerFilter(compress, list)
  },
})
