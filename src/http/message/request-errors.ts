/**
 * What can be wrong with a request head: one code per reason, with the status that answers it and the words for the
 * error log (nginx's own). The wire parsers return these codes; `%s` stands for a detail that `logMessage()` fills in.
 */

/** The head is not complete; give more bytes. */
export const NEED_MORE = 0
/** The head is complete and sound. */
export const DONE = 1
/** The method has a byte that is no upper-case letter, `_` or `-`. */
export const INVALID_METHOD = 2
/** The request line is malformed. */
export const INVALID_REQUEST = 3
/** The major version is not 1. */
export const INVALID_VERSION = 4
/** An HTTP/0.9 request with a method other than GET. */
export const INVALID_09_METHOD = 5
/** The request line does not fit into a large client header buffer. */
export const URI_TOO_LONG = 6
/** A field line is malformed. */
export const INVALID_FIELD = 7
/** A field line does not fit into the client header buffers. */
export const FIELD_TOO_LONG = 8
/** More field lines than `max_headers`. */
export const TOO_MANY_FIELDS = 9
/** The host in an absolute request target is malformed. */
export const INVALID_TARGET_HOST = 10
/** The Host field is malformed. */
export const INVALID_HOST = 11
/** A second Host field. */
export const DUPLICATE_HOST = 12
/** A second field of a name that may stand once. */
export const DUPLICATE_FIELD = 13
/** HTTP/1.1 without Host. */
export const NO_HOST = 14
/** Content-Length is not a number. */
export const INVALID_LENGTH = 15
/** Transfer-Encoding in a request older than HTTP/1.1. */
export const CODING_IN_HTTP10 = 16
/** Both Content-Length and Transfer-Encoding. */
export const LENGTH_AND_CODING = 17
/** A transfer coding other than chunked. */
export const UNKNOWN_CODING = 18
/** CONNECT where no tunnel is allowed. */
export const CONNECT_REFUSED = 19
/** CONNECT with a body. */
export const CONNECT_WITH_BODY = 20
/** TRACE, which is never allowed. */
export const TRACE_REFUSED = 21

/** The status and the log line of one code. */
interface RequestError {
  readonly status: number
  readonly logMessage: string
}

const SOUND: RequestError = { status: 0, logMessage: '' }

/** Indexed by code. 494 is nginx's own number for "Request Header Or Cookie Too Large", sent as 400. */
export const REQUEST_ERRORS: readonly RequestError[] = [
  SOUND,
  SOUND,
  { status: 400, logMessage: 'client sent invalid method' },
  { status: 400, logMessage: 'client sent invalid request' },
  { status: 505, logMessage: 'client sent invalid version' },
  { status: 400, logMessage: 'client sent invalid method in HTTP/0.9 request' },
  { status: 414, logMessage: 'client sent too long URI' },
  { status: 400, logMessage: 'client sent invalid header line: "%s..."' },
  { status: 494, logMessage: 'client sent too long header line: "%s..."' },
  { status: 494, logMessage: 'client sent too many header lines' },
  { status: 400, logMessage: 'client sent invalid host in request line' },
  { status: 400, logMessage: 'client sent invalid host header' },
  { status: 400, logMessage: 'client sent duplicate host header: %s' },
  { status: 400, logMessage: 'client sent duplicate header line: %s' },
  { status: 400, logMessage: 'client sent HTTP/1.1 request without "Host" header' },
  { status: 400, logMessage: 'client sent invalid "Content-Length" header' },
  { status: 400, logMessage: 'client sent HTTP/1.0 request with "Transfer-Encoding" header' },
  { status: 400, logMessage: 'client sent "Content-Length" and "Transfer-Encoding" headers at the same time' },
  { status: 501, logMessage: 'client sent unknown "Transfer-Encoding": "%s"' },
  { status: 405, logMessage: 'client sent CONNECT method' },
  { status: 400, logMessage: 'client sent CONNECT request with body' },
  { status: 405, logMessage: 'client sent TRACE method' },
]
