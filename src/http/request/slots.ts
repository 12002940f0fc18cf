/** Places in requests and locations that belong to one module each: slots for values, marks for small numbers, settings. */
import { assert } from '../../lib/assert.ts'

/** A slot of the request that belongs to one module; made once per module, at load. */
export interface Slot<T> {
  readonly index: number
  readonly type?: T
}

let slotsMade = 0

/** Reserves a typed place in every request for a module's own state. */
export function defineSlot<T>(): Slot<T> {
  return { index: slotsMade++ }
}

/** What one module decides for locations and another part asks; made once, at load. */
export interface Setting<T> {
  readonly index: number
  /** The value where nothing is set. */
  readonly none: T
}

let settingsMade = 0

/** Reserves a typed place in every location. */
export function defineSetting<T>(none: T): Setting<T> {
  return { index: settingsMade++, none }
}

/** A small number that a module keeps with a request through internal redirects; made once per module, at load. */
export interface Mark {
  readonly shift: number
  readonly mask: number
}

let markBits = 0

/** Reserves bits for a number from 0, the value at the beginning, to `max`. */
export function defineMark(max: number): Mark {
  const bits = 32 - Math.clz32(max)
  const mark = { shift: markBits, mask: (1 << bits) - 1 }
  markBits += bits
  assert(markBits <= 30, 'the marks of all modules fit into a small integer')
  return mark
}
