/**
 * What the error log tells about a request at debug level, or for addresses of `debug_connection`: the head as it came,
 * the location that serves it, how it ended. The wording is nginx's, which tools and people search for.
 */
import { DEBUG } from '../../log/error-log.ts'
import { loggedField } from '../message/logged-field.ts'
import type { Request } from './request.ts'

/** The head has been read; `r.server` is known. */
export function debugHead(r: Request): void {
  const { log } = r.location
  if (!log.enabled(DEBUG, r)) return
  log.write(DEBUG, `http request line: "${r.requestLine}"`, r)
  log.write(DEBUG, `http uri: "${r.uri}"`, r)
  log.write(DEBUG, `http args: "${r.args}"`, r)
  const { headers } = r
  for (let i = 0; i < headers.count; i++) {
    log.write(DEBUG, `http header: "${loggedField(headers.name(i), headers.value(i))}"`, r)
  }
}

/** The location has been found. */
export function debugLocation(r: Request): void {
  const { location } = r
  if (!location.log.enabled(DEBUG, r)) return
  const kind = location.exact ? '=' : location.noRegex ? '^~ ' : location.regex === undefined ? '' : '~ '
  location.log.write(DEBUG, `using configuration "${kind}${location.name}"`, r)
  location.log.write(DEBUG, `http cl:${r.contentLength} max:${location.core.client_max_body_size}`, r)
}

/** The response is out or given up. */
export function debugEnd(r: Request): void {
  const { log } = r.location
  if (!log.enabled(DEBUG, r)) return
  log.write(DEBUG, `http finalize request: ${r.out.status}, "${r.uri}?${r.args}" a:${r.headSent ? 1 : 0}, c:1`, r)
  log.write(DEBUG, 'http close request', r)
}
