/**
 * ngx_http_v2_module: the directives of HTTP/2 and `$http2`. What they say is kept with servers and locations; the engine
 * is in src/http/h2/. Sizes of memory that this engine does not have are checked as nginx does, and have no effect.
 */
import { flag, number, raw, size } from '../../config/args.ts'
import { mapped } from '../../config/combine.ts'
import { type Args, type Context, directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { FRAME_SIZE_LIMIT, WINDOW_MAX } from '../../http/h2/wire/frames.ts'

const HS: readonly Context[] = ['http', 'server']
const HSL: readonly Context[] = ['http', 'server', 'location']
const STATE_BUFFER_SIZE = 16
const POOL_SIZE_MIN = 112
const POOL_ALIGNMENT = 16

const poolSize = mapped(size, (value, [word], at) => {
  if (value < POOL_SIZE_MIN) return at.fail(`the pool size must be no less than ${POOL_SIZE_MIN}`, word)
  if (value % POOL_ALIGNMENT !== 0) return at.fail(`the pool size must be a multiple of ${POOL_ALIGNMENT}`, word)
  return value
})

const prereadSize = mapped(size, (value, [word], at) =>
  value > WINDOW_MAX ? at.fail(`the maximum body preread buffer size is ${WINDOW_MAX}`, word) : value,
)

const chunkSize = mapped(size, (value, [word], at) =>
  value === 0 ? at.fail('the http2 chunk size cannot be zero', word) : Math.min(value, FRAME_SIZE_LIMIT),
)

const powerOfTwo = mapped(number(), (value, [word], at) =>
  value === 0 || (value & (value - 1)) !== 0
    ? at.fail(`"${at.directive.text}" directive must be a power of two`, word)
    : value,
)

const receiveSize = mapped(size, (value, [word], at) =>
  value <= STATE_BUFFER_SIZE ? at.fail(`"${at.directive.text}" directive value is too small`, word) : value,
)

/** A directive of older versions: it is accepted, and a warning names the one to use now. */
function obsolete(instead?: string): Args<true> {
  return mapped(raw('value', { min: 1, max: 1 }), (_words, _, at): true => {
    const name = at.directive.text
    at.warn(
      instead === undefined
        ? `the "${name}" directive is obsolete, ignored`
        : `the "${name}" directive is obsolete, use the "${instead}" directive instead`,
    )
    return true
  })
}

function obsoleteDirective(contexts: readonly Context[], instead?: string) {
  const doc = instead === undefined ? 'Obsolete.' : `Obsolete: use \`${instead}\`.`
  return directive({ in: contexts, args: obsolete(instead), doc, duplicate: false, withoutEffect: 'It is obsolete.' })
}

/** The module list's entry. */
export const v2Module = httpModule({
  name: 'http_v2',
  doc: 'HTTP/2 with clients.',
  directives: {
    http2: directive({ in: HS, args: flag, default: 'off', doc: 'Enables HTTP/2.' }),
    http2_max_concurrent_streams: directive({
      in: HS,
      args: number(),
      default: '128',
      doc: 'Sets how many streams of one connection may be open at once.',
    }),
    http2_body_preread_size: directive({
      in: HS,
      args: prereadSize,
      default: '64k',
      doc: 'Sets how much of a request body a client may send before it is wanted.',
    }),
    http2_chunk_size: directive({
      in: HSL,
      args: chunkSize,
      default: '8k',
      doc: 'Sets the most bytes of a body that one frame holds.',
    }),
    http2_recv_buffer_size: directive({
      in: ['http'],
      args: receiveSize,
      default: '256k',
      doc: "Sets the size of a worker's receive buffer.",
      withoutEffect: 'All connections of a worker read into one buffer of 64k.',
    }),
    http2_pool_size: directive({
      in: HS,
      args: poolSize,
      default: '4k',
      doc: 'Sets the size of the memory pool of a connection.',
      withoutEffect: 'There are no memory pools.',
    }),
    http2_streams_index_size: directive({
      in: HS,
      args: powerOfTwo,
      default: '32',
      doc: 'Sets the size of the index of streams.',
      withoutEffect: 'The index grows as needed.',
    }),
    http2_max_concurrent_pushes: obsoleteDirective(HS),
    http2_max_requests: obsoleteDirective(HS, 'keepalive_requests'),
    http2_max_field_size: obsoleteDirective(HS, 'large_client_header_buffers'),
    http2_max_header_size: obsoleteDirective(HS, 'large_client_header_buffers'),
    http2_recv_timeout: obsoleteDirective(HS, 'client_header_timeout'),
    http2_idle_timeout: obsoleteDirective(HS, 'keepalive_timeout'),
    http2_push_preload: obsoleteDirective(HSL),
    http2_push: obsoleteDirective(HSL),
  },
  variables: {
    http2: (r) => (r.version === 20 ? (r.client.secure ? 'h2' : 'h2c') : ''),
  },
  attach(conf, _plan, at) {
    at.location.http2ChunkSize = conf.http2_chunk_size
    if (at.location !== at.server.base) return
    at.server.http2 = {
      on: conf.http2,
      streamsMax: conf.http2_max_concurrent_streams,
      prereadSize: conf.http2_body_preread_size,
    }
  },
})
