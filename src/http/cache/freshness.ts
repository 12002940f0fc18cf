/**
 * How long a response is good, as its head says (ngx_http_upstream_process_cache_control and its neighbours). Fields work
 * in the order in which they come, and directives are found anywhere in a value, in any case:
 *
 *   X-Accel-Expires  >  Cache-Control: s-maxage, max-age  >  Expires  >  what `cache_valid` says
 */
import { parseHttpDate } from '../../lib/http-date.ts'
import { hashName } from '../message/field-names.ts'
import type { HeaderTable } from '../message/header-table.ts'

/** Fields without effect here, as bits that join those of the exchange. */
export const IGNORE_ACCEL_EXPIRES = 16
export const IGNORE_EXPIRES = 32
export const IGNORE_CACHE_CONTROL = 64
export const IGNORE_SET_COOKIE = 128
export const IGNORE_VARY = 256

/** The longest Vary that a cache file has room for. */
export const VARY_SIZE_MAX = 128
/** Further away than this is never, with room to add to it. */
const SECONDS_MAX = 2 ** 52

const CACHE_CONTROL = hashName('cache-control')
const EXPIRES = hashName('expires')
const ACCEL_EXPIRES = hashName('x-accel-expires')
const SET_COOKIE = hashName('set-cookie')
const VARY = hashName('vary')

/** What one response says about being kept; reused by `begin`. Times are seconds, moments since the epoch. */
export class Freshness {
  /** It may be kept. */
  cacheable = true
  /** The moment after which it is stale; 0: the head does not say. */
  validSec = 0
  /** How long after that it may be used while it is being renewed, or when that fails. */
  updatingSec = 0
  errorSec = 0
  /** The values of Vary, joined. */
  vary = ''
  #noCache = false
  #expired = false
  #accelExpires = false

  begin(): void {
    this.cacheable = true
    this.validSec = this.updatingSec = this.errorSec = 0
    this.vary = ''
    this.#noCache = this.#expired = this.#accelExpires = false
  }

  /** Reads a head; `ignore` has the bits above. */
  read(table: HeaderTable, ignore: number, now: number): void {
    let expires = false
    for (let i = 0; i < table.count; i++) {
      if (table.hidden(i)) continue
      switch (table.hash(i)) {
        case CACHE_CONTROL:
          if ((ignore & IGNORE_CACHE_CONTROL) === 0 && table.nameIs(i, 'cache-control')) {
            this.#readCacheControl(table.value(i).toLowerCase(), now)
          }
          break
        case EXPIRES:
          // Only the first counts.
          if (expires || !table.nameIs(i, 'expires')) break
          expires = true
          if ((ignore & IGNORE_EXPIRES) === 0) this.#readExpires(table.value(i), now)
          break
        case ACCEL_EXPIRES:
          if (this.#accelExpires || !table.nameIs(i, 'x-accel-expires')) break
          this.#accelExpires = true
          if ((ignore & IGNORE_ACCEL_EXPIRES) === 0) this.#readAccelExpires(table.value(i), now)
          break
        case SET_COOKIE:
          if ((ignore & IGNORE_SET_COOKIE) === 0 && table.nameIs(i, 'set-cookie')) this.cacheable = false
          break
        case VARY:
          if ((ignore & IGNORE_VARY) === 0 && table.nameIs(i, 'vary')) this.#readVary(table.value(i))
          break
      }
    }
    if (this.#noCache || this.#expired) this.cacheable = false
  }

  #readCacheControl(value: string, now: number): void {
    if (this.validSec === 0 || !this.#accelExpires) {
      if (value.includes('no-cache') || value.includes('no-store') || value.includes('private')) {
        this.#noCache = true
        return
      }
      const age = seconds(value, 's-maxage=', seconds(value, 'max-age=', ABSENT))
      if (age === BROKEN) {
        this.cacheable = false
        return
      }
      if (age === 0) {
        this.#noCache = true
        return
      }
      if (age !== ABSENT) {
        this.validSec = now + age
        this.#expired = false
      }
    }
    this.#readExtensions(value)
  }

  #readExtensions(value: string): void {
    const updating = seconds(value, 'stale-while-revalidate=', ABSENT)
    if (updating === BROKEN) {
      this.cacheable = false
      return
    }
    if (updating !== ABSENT) this.updatingSec = this.errorSec = updating
    const error = seconds(value, 'stale-if-error=', ABSENT)
    if (error === BROKEN) this.cacheable = false
    else if (error !== ABSENT) this.errorSec = error
  }

  #readExpires(value: string, now: number): void {
    if (this.validSec !== 0) return
    const moment = parseHttpDate(value)
    if (moment < now) this.#expired = true
    else this.validSec = moment
  }

  /** Seconds, or a moment behind `@`; 0 forbids to keep the response. */
  #readAccelExpires(value: string, now: number): void {
    const absolute = value.startsWith('@')
    const digits = absolute ? value.slice(1) : value
    if (!/^\d{1,19}$/.test(digits)) return
    const number = Math.min(Number(digits), SECONDS_MAX)
    if (number === 0 && !absolute) {
      this.cacheable = false
      return
    }
    this.validSec = absolute ? number : now + number
    this.#noCache = this.#expired = false
  }

  #readVary(value: string): void {
    if (!this.cacheable) return
    if (value === '*') {
      this.cacheable = false
      return
    }
    this.vary = this.vary === '' ? value : `${this.vary}, ${value}`
    if (this.vary.length > VARY_SIZE_MAX) this.cacheable = false
  }
}

/** The fields of a response that may not be kept which can be the reason, for people. */
export function forbidding(table: HeaderTable, ignore: number): string {
  const names = [
    ['set-cookie', IGNORE_SET_COOKIE],
    ['cache-control', IGNORE_CACHE_CONTROL],
    ['x-accel-expires', IGNORE_ACCEL_EXPIRES],
    ['expires', IGNORE_EXPIRES],
    ['vary', IGNORE_VARY],
  ] as const
  const found = names.flatMap(([name, bit]) => {
    const value = (ignore & bit) === 0 ? table.valueOf(hashName(name), name) : undefined
    return value === undefined ? [] : [name === 'set-cookie' ? 'Set-Cookie' : `${name}: ${value}`]
  })
  return found.length === 0 ? 'the response forbids it' : `the response has ${found.join(', ')}`
}

const ABSENT = -1
const BROKEN = -2

/** The number behind `name` in `value`; `otherwise` when it is not there. */
function seconds(value: string, name: string, otherwise: number): number {
  const at = value.indexOf(name)
  if (at < 0) return otherwise
  let number = 0
  for (let i = at + name.length; i < value.length; i++) {
    const char = value.charCodeAt(i)
    // A comma, a semicolon or a blank ends it.
    if (char === 0x2c || char === 0x3b || char === 0x20) break
    if (char < 0x30 || char > 0x39) return BROKEN
    number = Math.min(number * 10 + char - 0x30, SECONDS_MAX)
  }
  return number
}
