/** The static table of HPACK (RFC 7541, appendix A). Indices on the wire begin with 1. */

const LINES = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`

const entries = LINES.split('\n').map((line) => {
  const cut = line.indexOf(' ')
  return cut < 0 ? { name: line, value: '' } : { name: line.slice(0, cut), value: line.slice(cut + 1) }
})

/** Names by index - 1. */
export const STATIC_NAMES: readonly string[] = entries.map(({ name }) => name)
/** Values by index - 1. */
export const STATIC_VALUES: readonly string[] = entries.map(({ value }) => value)
