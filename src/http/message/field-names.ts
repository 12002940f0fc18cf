/**
 * Field names that somebody asks for, each with a number: a name is compared once, when its field enters a table, and from
 * then on numbers are. Names come from modules when they are loaded and from configurations; what peers send adds none.
 */
import { FOLD } from './tokens.ts'

const SLOTS_FIRST = 512
const ROLES_FIRST = 256

/** By number; number 0 stands for every name that nobody asks for. */
const names: string[] = ['']
const hashes: number[] = [0]
/** The bytes of all names, and where each begins. */
let bytes = new Uint8Array(4096)
const starts: number[] = [0, 0]
/** Numbers, at the place of their hash or behind it; at most half of the places are taken. */
let slots = new Int32Array(SLOTS_FIRST)

/** Hashes a field name without regard to case; the parser's byte loop computes the same. */
export function hashName(name: string): number {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + FOLD[name.charCodeAt(i)]!) | 0
  return hash
}

/** The number of a name in lower case, which has one from now on. */
function fieldNumber(lowerName: string): number {
  const hash = hashName(lowerName)
  const before = numberOf(hash, lowerName)
  return before === 0 ? register(lowerName, hash) : before
}

function register(name: string, hash: number): number {
  const number = names.push(name) - 1
  hashes.push(hash)
  const start = starts[number]!
  const end = start + name.length
  starts.push(end)
  if (end > bytes.length) {
    const larger = new Uint8Array(2 * end)
    larger.set(bytes)
    bytes = larger
  }
  for (let i = 0; i < name.length; i++) bytes[start + i] = name.charCodeAt(i)
  if (2 * number < slots.length) place(number)
  else {
    slots = new Int32Array(2 * slots.length)
    for (let i = 1; i <= number; i++) place(i)
  }
  return number
}

function place(number: number): void {
  const mask = slots.length - 1
  let at = hashes[number]! & mask
  while (slots[at] !== 0) at = (at + 1) & mask
  slots[at] = number
}

/** The number of the name in `buffer[from, to)`, whose `hashName` is `hash`, without regard to case; 0: it has none. */
export function numberAt(hash: number, buffer: Uint8Array, from: number, to: number): number {
  const mask = slots.length - 1
  for (let at = hash & mask; slots[at] !== 0; at = (at + 1) & mask) {
    const number = slots[at]!
    if (hashes[number] === hash && isAt(number, buffer, from, to)) return number
  }
  return 0
}

function isAt(number: number, buffer: Uint8Array, from: number, to: number): boolean {
  const start = starts[number]!
  const length = to - from
  if (starts[number + 1]! - start !== length) return false
  for (let i = 0; i < length; i++) if (FOLD[buffer[from + i]!] !== bytes[start + i]) return false
  return true
}

/** The same for a name that is a text. */
export function numberOf(hash: number, name: string): number {
  const mask = slots.length - 1
  for (let at = hash & mask; slots[at] !== 0; at = (at + 1) & mask) {
    const number = slots[at]!
    if (hashes[number] === hash && isText(names[number]!, name)) return number
  }
  return 0
}

function isText(lowerName: string, name: string): boolean {
  if (lowerName === name) return true
  if (lowerName.length !== name.length) return false
  for (let i = 0; i < name.length; i++) if (FOLD[name.charCodeAt(i)] !== lowerName.charCodeAt(i)) return false
  return true
}

/** What some names are for somebody: a small number for each, 0 for all others. */
export class FieldRoles {
  #roles = new Uint8Array(ROLES_FIRST)

  /** `roles`: names in lower case, and what each is, 1 to 255. */
  constructor(roles: Iterable<readonly [name: string, role: number]> = []) {
    for (const [name, role] of roles) this.set(name, role)
  }

  set(lowerName: string, role: number): void {
    const number = fieldNumber(lowerName)
    if (number >= this.#roles.length) {
      const larger = new Uint8Array(2 * number)
      larger.set(this.#roles)
      this.#roles = larger
    }
    this.#roles[number] = role
  }

  /** By the number of a name. */
  of(number: number): number {
    return number < this.#roles.length ? this.#roles[number]! : 0
  }

  /** By the name in lower case. */
  ofName(lowerName: string): number {
    return this.of(numberOf(hashName(lowerName), lowerName))
  }
}
