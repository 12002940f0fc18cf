/**
 * HPACK, the writing side, without a dynamic table of its own: what a field looks like then does not depend on the
 * connection, so encoded fields are remembered for all of them. Strings are Huffman-coded where that is shorter.
 */
import { STATIC_NAMES, STATIC_VALUES } from './hpack-table.ts'
import { huffmanEncode, huffmanSize } from './huffman.ts'

/** Literal without indexing, and literal that no hop may index. */
const PLAIN = 0x00
const NEVER = 0x10
const STATUS_INDEX = 8
/** Names remembered, values remembered of each, and how long a value may be that is. */
const NAMES_MAX = 512
const VALUES_MAX = 64
const REMEMBERED_LENGTH_MAX = 256

/** What is known of one field name. */
class KnownName {
  /** The field up to its value. */
  readonly start: string
  /** The same, never to be indexed. */
  readonly neverStart: string
  /** Encoded fields by value. */
  readonly fields = new Map<string, string>()

  constructor(name: string) {
    const index = staticIndex(name)
    const literal = index === 0 ? stringText(name) : ''
    this.start = integer(PLAIN, 0x0f, index) + literal
    this.neverStart = integer(NEVER, 0x0f, index) + literal
    for (let i = 0; i < STATIC_NAMES.length; i++) {
      if (STATIC_NAMES[i] === name && STATIC_VALUES[i] !== '')
        this.fields.set(STATIC_VALUES[i]!, integer(0x80, 0x7f, i + 1))
    }
  }
}

const known = new Map<string, KnownName>()
const statuses: (string | undefined)[] = []

/** The field as binary text (one char, one byte); `name` in lower case. */
export function encodeField(name: string, value: string): string {
  const { fields, start } = known.get(name) ?? remember(name)
  const before = fields.get(value)
  if (before !== undefined) return before
  const field = start + stringText(value)
  if (value.length <= REMEMBERED_LENGTH_MAX) {
    if (fields.size >= VALUES_MAX) fields.clear()
    fields.set(value, field)
  }
  return field
}

/** The same for what nobody may keep: passwords, tokens, cookies. */
export function encodeNeverIndexed(name: string, value: string): string {
  return (known.get(name) ?? remember(name)).neverStart + stringText(value)
}

/** `:status`. */
export function encodeStatus(status: number): string {
  return (statuses[status] ??= statusField(String(status).padStart(3, '0')))
}

function statusField(status: string): string {
  for (let i = STATUS_INDEX; STATIC_NAMES[i - 1] === ':status'; i++) {
    if (STATIC_VALUES[i - 1] === status) return integer(0x80, 0x7f, i)
  }
  return integer(PLAIN, 0x0f, STATUS_INDEX) + stringText(status)
}

function remember(name: string): KnownName {
  if (known.size >= NAMES_MAX) known.clear()
  const entry = new KnownName(name)
  known.set(name, entry)
  return entry
}

/** The first index of a name in the static table, or 0. */
function staticIndex(name: string): number {
  return STATIC_NAMES.indexOf(name) + 1
}

function stringText(text: string): string {
  const size = huffmanSize(text)
  if (size < text.length) return integer(0x80, 0x7f, size) + huffmanEncode(text, size)
  return integer(0, 0x7f, text.length) + text
}

/** An integer behind the bits of `flags`; `prefix` masks its part of the first byte. */
function integer(flags: number, prefix: number, value: number): string {
  if (value < prefix) return String.fromCharCode(flags | value)
  let text = String.fromCharCode(flags | prefix)
  let rest = value - prefix
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) text += String.fromCharCode((rest & 0x7f) | 0x80)
  return text + String.fromCharCode(rest)
}
