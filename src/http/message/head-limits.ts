/** What a client may send in a head: the limits of its parts, and how lenient its lines are read. */

/** The limits of a head, from the server's settings; shared by all connections of a listener and never changed. */
export interface RequestLimits extends LineRules {
  /** `client_header_buffer_size`. */
  firstBufferSize: number
  /** The number in `large_client_header_buffers`; its size is `bufferSize`. */
  bufferCount: number
}

/** The defaults of nginx. */
export const REQUEST_LIMITS: RequestLimits = {
  underscores: false,
  dropInvalid: true,
  upstream: false,
  countMax: 1000,
  bufferSize: 8192,
  firstBufferSize: 1024,
  bufferCount: 4,
}

/** What the lines may be; set by the owner before the first byte. */
export interface LineRules {
  /** `underscores_in_headers`. */
  underscores: boolean
  /** `ignore_invalid_headers`: lines whose name is odd are left out; without it they are taken as they are. */
  dropInvalid: boolean
  /** A back end's head: control bytes in values are let through and a repeated status line is skipped, as nginx does. */
  upstream: boolean
  /** `max_headers`. */
  countMax: number
  /** The size of one large buffer: no line may be longer. */
  bufferSize: number
}
