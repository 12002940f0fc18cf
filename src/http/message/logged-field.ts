/**
 * What a log may tell of a field. Secrets travel in fields (Authorization, cookies, tokens under any name), so a value is
 * shown only where its name says that it frames, routes or negotiates; of all others the name alone.
 */

const SHOWN: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'upgrade', 'expect', 'te', 'trailer', 'transfer-encoding', 'content-length'],
  ...['content-type', 'content-encoding', 'content-range', 'content-language', 'range', 'accept-ranges'],
  ...['if-modified-since', 'if-unmodified-since', 'if-match', 'if-none-match', 'if-range', 'last-modified', 'etag'],
  ...['accept', 'accept-charset', 'accept-encoding', 'accept-language', 'user-agent', 'server', 'date', 'vary', 'via'],
  ...['cache-control', 'expires', 'pragma', 'keep-alive', 'x-accel-buffering', 'x-accel-charset', 'x-accel-expires'],
])
const UNSEEN = '...'

/** Returns `Name: value`, without the value where that may be a secret. */
export function loggedField(name: string, value: string): string {
  return `${name}: ${loggedValue(name, value)}`
}

/** Returns the value, or what stands in its place. */
export function loggedValue(name: string, value: string): string {
  return value === '' || SHOWN.has(name.toLowerCase()) ? value : UNSEEN
}

/** The same for a line as it came, which may be cut, or have no colon: it is a name then. */
export function loggedLine(line: string): string {
  const colon = line.indexOf(':')
  if (colon < 0) return line
  const name = line.slice(0, colon)
  return SHOWN.has(name.toLowerCase()) ? line : `${name}: ${UNSEEN}`
}
