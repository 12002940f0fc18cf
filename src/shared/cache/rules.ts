/**
 * Purges that cannot be carried out at once, because the key's text is in the files alone: of a prefix, and, while files
 * are there that no entry knows, of a key or a tag. Each has a number; an entry was held against all up to its own. The
 * keeper goes through the entries and then drops the rule.
 */
import * as at from './layout.ts'
import type { CacheMemory } from './memory.ts'

/** Most rules at a time. */
const RULES_MAX = 1024
/** Longest text of a rule. */
const RULE_TEXT_MAX = 4096
const FIRST_BYTES = (at.CELL_WORDS - at.RULE_TEXT_AT) * 4
const MORE_BYTES = (at.CELL_WORDS - at.TEXT_AT) * 4

/** Types of rules: keys that begin with the text, this key, the tag with this hash (in digits). */
export const RULE_PREFIX = 0
export const RULE_KEY = 1
export const RULE_TAG = 2
/** Added to the type: entries expire and stay usable. */
export const RULE_SOFT = 4

/** What the rules say about one entry. */
export const RULE_NOTHING = 0
export const RULE_EXPIRES = 1
export const RULE_REMOVES = 2

/** Adds a rule under the next number of purges. False: too many are under way. */
export function addRule(memory: CacheMemory, type: number, text: string): boolean {
  const { words } = memory
  if (words[at.RULE_COUNT]! >= RULES_MAX || text.length > RULE_TEXT_MAX) return false
  const rule = memory.take()
  if (rule === 0) return false
  if (!writeText(memory, rule, text)) {
    giveRule(memory, rule)
    return false
  }
  const purge = words[at.LAST_PURGE]! + 1
  words[rule + at.RULE_PURGE] = purge
  words[rule + at.RULE_TYPE] = type
  words[rule + at.RULE_SIZE] = text.length
  words[rule + at.KIND] = at.RULE
  words[rule + at.NEXT] = words[at.FIRST_RULE]!
  words[at.FIRST_RULE] = rule
  words[at.RULE_COUNT] = words[at.RULE_COUNT]! + 1
  words[at.LAST_PURGE] = words[at.LAST_RULE] = purge
  return true
}

function writeText(memory: CacheMemory, rule: number, text: string): boolean {
  const { words, bytes } = memory
  let place = (rule + at.RULE_TEXT_AT) * 4
  let end = place + FIRST_BYTES
  let link = rule + at.RULE_MORE
  for (let i = 0; i < text.length; i++) {
    if (place === end) {
      const cell = memory.take()
      if (cell === 0) return false
      words[cell + at.KIND] = at.TEXT
      words[link] = cell
      link = cell + at.NEXT
      place = (cell + at.TEXT_AT) * 4
      end = place + MORE_BYTES
    }
    bytes[place++] = text.charCodeAt(i)
  }
  return true
}

function giveRule(memory: CacheMemory, rule: number): void {
  const { words } = memory
  let cell = words[rule + at.RULE_MORE]!
  memory.give(rule)
  while (cell !== 0) {
    const next = words[cell + at.NEXT]!
    memory.give(cell)
    cell = next
  }
}

/** What the rules after purge `since` say about a key; the tags count for rules of tags. */
export function applyRules(memory: CacheMemory, since: number, key: string, tags: readonly number[]): number {
  const { words } = memory
  let found = RULE_NOTHING
  for (let rule = words[at.FIRST_RULE]!; rule !== 0; rule = words[rule + at.NEXT]!) {
    if (words[rule + at.RULE_PURGE]! <= since || !applies(memory, rule, key, tags)) continue
    if ((words[rule + at.RULE_TYPE]! & RULE_SOFT) === 0) return RULE_REMOVES
    found = RULE_EXPIRES
  }
  return found
}

function applies(memory: CacheMemory, rule: number, key: string, tags: readonly number[]): boolean {
  const type = memory.words[rule + at.RULE_TYPE]! & ~RULE_SOFT
  const size = memory.words[rule + at.RULE_SIZE]!
  if (type === RULE_TAG) {
    for (let i = 0; i < tags.length; i++) {
      const hash = String(tags[i])
      if (hash.length === size && beginsWith(memory, rule, size, hash)) return true
    }
    return false
  }
  if (type === RULE_KEY && key.length !== size) return false
  return key.length >= size && beginsWith(memory, rule, size, key)
}

function beginsWith({ words, bytes }: CacheMemory, rule: number, size: number, text: string): boolean {
  let place = (rule + at.RULE_TEXT_AT) * 4
  let end = place + FIRST_BYTES
  let cell = words[rule + at.RULE_MORE]!
  for (let i = 0; i < size; i++) {
    if (place === end) {
      place = (cell + at.TEXT_AT) * 4
      end = place + MORE_BYTES
      cell = words[cell + at.NEXT]!
    }
    if (bytes[place++] !== text.charCodeAt(i)) return false
  }
  return true
}

/** A rule as it was given: a type with RULE_SOFT, and its text. */
export interface PurgeRule {
  readonly type: number
  readonly text: string
}

const RULE_HEAD = 8

/** A rule as files have it, little-endian: type(4) size(4) text. */
export function encodeRule({ type, text }: PurgeRule): Buffer {
  const bytes = Buffer.alloc(RULE_HEAD + text.length)
  bytes.writeUInt32LE(type, 0)
  bytes.writeUInt32LE(text.length, 4)
  bytes.latin1Write(text, RULE_HEAD)
  return bytes
}

/** The rules that stand one behind the other; one that is not whole, or of no type that there is, ends them. */
export function decodeRules(bytes: Buffer, count: number = Number.POSITIVE_INFINITY): PurgeRule[] {
  const rules: PurgeRule[] = []
  let at = 0
  while (rules.length < count && at + RULE_HEAD <= bytes.length) {
    const end = at + RULE_HEAD + bytes.readUInt32LE(at + 4)
    const type = bytes.readUInt32LE(at)
    if (end > bytes.length || type > (RULE_TAG | RULE_SOFT)) break
    rules.push({ type, text: bytes.latin1Slice(at + RULE_HEAD, end) })
    at = end
  }
  return rules
}

/** The bytes that `encodeRule` makes of rules. */
export function rulesSize(rules: readonly PurgeRule[]): number {
  return rules.reduce((sum, { text }) => sum + RULE_HEAD + text.length, 0)
}

/** All rules, the oldest first. */
export function listRules({ words, bytes }: CacheMemory): PurgeRule[] {
  const rules: PurgeRule[] = []
  for (let rule = words[at.FIRST_RULE]!; rule !== 0; rule = words[rule + at.NEXT]!) {
    const size = words[rule + at.RULE_SIZE]!
    let text = textAt(bytes, (rule + at.RULE_TEXT_AT) * 4, Math.min(size, FIRST_BYTES))
    for (let cell = words[rule + at.RULE_MORE]!; cell !== 0; cell = words[cell + at.NEXT]!) {
      text += textAt(bytes, (cell + at.TEXT_AT) * 4, Math.min(size - text.length, MORE_BYTES))
    }
    rules.unshift({ type: words[rule + at.RULE_TYPE]!, text })
  }
  return rules
}

function textAt(bytes: Uint8Array, from: number, size: number): string {
  let text = ''
  for (let i = from; i < from + size; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

/** Drops the rules up to purge `last`, which all entries were held against. */
export function dropRules(memory: CacheMemory, last: number): void {
  const { words } = memory
  let link = at.FIRST_RULE
  for (let rule = words[link]!; rule !== 0; rule = words[link]!) {
    if (words[rule + at.RULE_PURGE]! > last) {
      link = rule + at.NEXT
      continue
    }
    words[link] = words[rule + at.NEXT]!
    words[at.RULE_COUNT] = words[at.RULE_COUNT]! - 1
    giveRule(memory, rule)
  }
}
