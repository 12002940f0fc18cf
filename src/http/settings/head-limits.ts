/** What a server block says of the heads that it takes. */
import type { RequestLimits } from '../message/head-limits.ts'
import type { CoreConf } from './core-directives.ts'

/** The limits of a server's settings. */
export function headLimitsOf(conf: CoreConf): RequestLimits {
  return {
    underscores: conf.underscores_in_headers,
    dropInvalid: conf.ignore_invalid_headers,
    upstream: false,
    countMax: conf.max_headers,
    bufferSize: conf.large_client_header_buffers.size,
    firstBufferSize: conf.client_header_buffer_size,
    bufferCount: conf.large_client_header_buffers.count,
  }
}
