/**
 * What is spoken on one address, put together from all its `listen` lines: what one says holds for all, and lines that
 * do not agree are warned about (ngx_http_add_addresses).
 */

import type { AddressProtocols } from '../http/server/listener.ts'
import type { Listen } from '../http/settings/core-readers.ts'

const PROXY_PROTOCOL = 1
const SSL = 2
const HTTP2 = 4

/** The protocols of one address. */
export class ListenProtocols implements AddressProtocols {
  #all: number
  /** What lines said on which nothing was redefined; undefined before the second one. */
  #agreed: number | undefined
  #changed = false

  constructor(first: Listen) {
    this.#all = bitsOf(first)
  }

  get proxyProtocol(): boolean {
    return (this.#all & PROXY_PROTOCOL) !== 0
  }

  get ssl(): boolean {
    return (this.#all & SSL) !== 0
  }

  get http2(): boolean {
    return (this.#all & HTTP2) !== 0
  }

  /** Takes another line; `optionsSet`: an earlier one made the socket's settings. True: it does not agree with others. */
  add(line: Listen, optionsSet: boolean): boolean {
    const before = this.#all
    const now = bitsOf(line)
    const both = before | now
    this.#all = both
    let redefined: boolean
    if (both !== before) {
      redefined = (optionsSet && !line.set) || this.#changed || both !== now
      this.#agreed = before
      this.#changed = true
    } else if (both !== now) {
      redefined = line.set || (this.#agreed !== undefined && now !== this.#agreed)
      this.#agreed = now
      this.#changed = true
    } else {
      redefined = (line.set && this.#changed) || (this.#agreed !== undefined && now !== this.#agreed)
      this.#agreed = now
    }
    return redefined
  }
}

function bitsOf({ proxyProtocol, ssl, http2 }: Listen): number {
  return (proxyProtocol ? PROXY_PROTOCOL : 0) | (ssl ? SSL : 0) | (http2 ? HTTP2 : 0)
}
