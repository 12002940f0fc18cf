/** What the `http2_*` directives say about the connections of one server. */

/** The settings of one server. */
export interface Http2Conf {
  /** `http2 on`. */
  readonly on: boolean
  /** `http2_max_concurrent_streams`. */
  readonly streamsMax: number
  /** `http2_body_preread_size`: what a client may send of a body that nobody has asked for yet. */
  readonly prereadSize: number
}

/** nginx's defaults. */
export const HTTP2_DEFAULTS: Http2Conf = { on: false, streamsMax: 128, prereadSize: 65536 }

/** The default of `http2_chunk_size`. */
export const CHUNK_SIZE_DEFAULT = 8192
