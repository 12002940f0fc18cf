/**
 * One server of an upstream group: its address, its limits, and its state. The state is a row of numbers in a buffer, so
 * that it can be private to a worker or shared by all of them through the same class.
 *
 *   | conns | fails | effective weight | current weight | checked | accessed |              seconds are monotonic
 *   | header ms | response ms | in-flight ms | in-flight | in-flight sum | in-flight at |   averages of least_time
 */
import type { GroupState } from './group-state.ts'

const CONNS = 0
const FAILS = 1
const EFFECTIVE = 2
const CURRENT = 3
const CHECKED = 4
const ACCESSED = 5
const HEADER_MS = 6
const RESPONSE_MS = 7
const INFLIGHT_MS = 8
const INFLIGHT = 9
const INFLIGHT_SUM = 10
const INFLIGHT_AT = 11
/** Numbers per peer. */
export const PEER_ROW = 16

/** What a `server` line says. */
export interface PeerOptions {
  readonly weight: number
  /** Most connections at once; 0: no limit. */
  readonly maxConns: number
  /** Failures within `failTimeoutS` that make the server unavailable; 0 turns the count off. */
  readonly maxFails: number
  readonly failTimeoutS: number
  readonly down: boolean
}

/** Where connections to a peer go. */
export interface PeerAddress {
  /** `127.0.0.1:8000`, `[::1]:8000` or `unix:/path`: what `$upstream_addr` tells. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly path: string
}

/** One server address; its numbers are read from and written to its row. */
export class Peer {
  readonly address: PeerAddress
  readonly options: PeerOptions
  /** The host as it was written, for `$upstream_last_server_name`. */
  readonly server: string
  readonly #cells: Int32Array
  readonly #row: number

  /** Uses row `index` of `state`. */
  constructor(address: PeerAddress, options: PeerOptions, server: string, state: GroupState, index: number) {
    this.address = address
    this.options = options
    this.server = server
    this.#cells = state.cells
    this.#row = index * PEER_ROW
    if (state.fresh) this.effectiveWeight = options.weight
  }

  get conns(): number {
    return this.#cells[this.#row + CONNS]!
  }
  set conns(value: number) {
    this.#cells[this.#row + CONNS] = value
  }
  get fails(): number {
    return this.#cells[this.#row + FAILS]!
  }
  set fails(value: number) {
    this.#cells[this.#row + FAILS] = value
  }
  get effectiveWeight(): number {
    return this.#cells[this.#row + EFFECTIVE]!
  }
  set effectiveWeight(value: number) {
    this.#cells[this.#row + EFFECTIVE] = value
  }
  get currentWeight(): number {
    return this.#cells[this.#row + CURRENT]!
  }
  set currentWeight(value: number) {
    this.#cells[this.#row + CURRENT] = value
  }
  get checked(): number {
    return this.#cells[this.#row + CHECKED]!
  }
  set checked(value: number) {
    this.#cells[this.#row + CHECKED] = value
  }
  get accessed(): number {
    return this.#cells[this.#row + ACCESSED]!
  }
  set accessed(value: number) {
    this.#cells[this.#row + ACCESSED] = value
  }

  /** Average time to the head of a response. */
  get headerMs(): number {
    return this.#cells[this.#row + HEADER_MS]!
  }
  set headerMs(value: number) {
    this.#cells[this.#row + HEADER_MS] = value
  }
  /** Average time to the end of a response. */
  get responseMs(): number {
    return this.#cells[this.#row + RESPONSE_MS]!
  }
  set responseMs(value: number) {
    this.#cells[this.#row + RESPONSE_MS] = value
  }
  /** Average age of requests that are under way. */
  get inflightMs(): number {
    return this.#cells[this.#row + INFLIGHT_MS]!
  }
  set inflightMs(value: number) {
    this.#cells[this.#row + INFLIGHT_MS] = value
  }
  /** Requests under way, as least_time counts them. */
  get inflight(): number {
    return this.#cells[this.#row + INFLIGHT]!
  }
  set inflight(value: number) {
    this.#cells[this.#row + INFLIGHT] = value
  }
  /** Ages of the requests under way, in total, at `inflightAtMs`. */
  get inflightSumMs(): number {
    return this.#cells[this.#row + INFLIGHT_SUM]!
  }
  set inflightSumMs(value: number) {
    this.#cells[this.#row + INFLIGHT_SUM] = value
  }
  /** When that total was taken. */
  get inflightAtMs(): number {
    return this.#cells[this.#row + INFLIGHT_AT]!
  }
  set inflightAtMs(value: number) {
    this.#cells[this.#row + INFLIGHT_AT] = value
  }

  /** May a request be sent to it at this second? */
  available(nowS: number): boolean {
    const { down, maxFails, failTimeoutS, maxConns } = this.options
    if (down) return false
    if (maxFails > 0 && this.fails >= maxFails && nowS - this.checked <= failTimeoutS) return false
    return maxConns === 0 || this.conns < maxConns
  }
}
