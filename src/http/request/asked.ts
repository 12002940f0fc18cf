/**
 * What was asked: the part of a request that the protocols fill in from its head, and that rewriting and redirects inside the
 * server change.
 */

/** The `version` that is supposed where it is not known yet, and of requests that no client sent. */
export const HTTP11 = 11

/** The base of `Request`. */
export class Asked {
  method = ''
  /** The method's bit, see method.ts. */
  methodBit = 0
  /** `$request_id`, made when it is first asked for; internal redirects keep it. */
  id = ''
  /** `$request`: the first line as it came, without its end. */
  requestLine = ''
  /** `$request_uri`: as it came, with arguments. */
  unparsedUri = ''
  /** `$uri`: decoded and normalised, changed by rewriting. */
  uri = ''
  args = ''
  /** 9, 10, 11, 20 or 30. */
  version = HTTP11
  /** Host of the request line or header, lower case, without port; empty when there is none. */
  host = ''
  /** In bytes, or -1. */
  contentLength = -1
  chunked = false
  expectContinue = false
  keepAlive = false
  headerOnly = false
  /** An error is answered by its status alone, unless `error_page` has something for it. */
  withoutPage = false
  /** Bytes of head and body that came, for `$request_length`. */
  requestLength = 0
  /** Which of its connection's requests it is, from 1 on: others may have begun meanwhile. */
  connectionRequests = 0
  /** `$request_uri` may be passed to a back end as it came: nothing rewrote it. */
  uriUnchanged = true
  /** The URI still begins with the name of its location: a rewrite with `break` changes that. */
  locationValid = true
  /** Set by a redirect inside the server: `internal` locations may then be used. */
  internal = false

  /** As before the first request. */
  protected resetAsked(): void {
    this.method = ''
    this.methodBit = 0
    this.id = ''
    this.requestLine = ''
    this.unparsedUri = ''
    this.uri = ''
    this.args = ''
    this.version = HTTP11
    this.host = ''
    this.contentLength = -1
    this.chunked = false
    this.expectContinue = false
    this.keepAlive = false
    this.headerOnly = false
    this.withoutPage = false
    this.requestLength = this.connectionRequests = 0
    this.uriUnchanged = true
    this.locationValid = true
    this.internal = false
  }
}
