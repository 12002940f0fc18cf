/**
 * The head of a request to an HTTP/2 back end, as a header block (RFC 9113, 8.3.1). Fields that belong to a connection
 * have no place in it, whoever sets them.
 */
import { CONNECTION_FIELDS } from '../../h2/connection-fields.ts'
import { encodeField, encodeNeverIndexed } from '../../h2/wire/hpack-encoder.ts'
import { FieldRoles } from '../../message/field-names.ts'
import { unfolded } from '../../message/field-value.ts'
import type { Text } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'
import type { RequestFields } from './request-fields.ts'

const NOT_SENT = [...CONNECTION_FIELDS, 'http2-settings']
/** What nobody on the way is to keep. */
const SECRETS: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie'])
const OWN = 1
const SECRET = 2
const KINDS = new FieldRoles()
for (const name of NOT_SENT) KINDS.set(name, OWN)
for (const name of SECRETS) KINDS.set(name, SECRET)
const LOWER_NAMES_MAX = 1024

interface EncodedField {
  readonly name: string
  readonly value: Text
  /** The whole field, when it is always the same. */
  readonly encoded: string
}

/** The beginning of every head. `method`, `path` and `authority` may not be empty. */
export function requestStart(method: string, scheme: 'http' | 'https', path: string, authority: string): string {
  return (
    encodeField(':method', method) +
    encodeField(':scheme', scheme) +
    encodeField(':path', path) +
    encodeField(':authority', authority)
  )
}

/** Fields of a request that no client sent; those without a value are left out. Names are in lower case. */
export function ownFields(
  fields: readonly { readonly name: string; readonly value: Text }[],
  evaluate: (value: Text) => string,
): string {
  let block = ''
  for (const { name, value } of fields) {
    const text = unfolded(evaluate(value))
    if (text !== '' && !NOT_SENT.includes(name)) block += encode(name, text)
  }
  return block
}

/** Encodes the fields of requests of one location. */
export class FieldEncoder {
  readonly #fields: readonly EncodedField[]
  readonly #replaced: FieldRoles

  constructor({ fields, replaced }: RequestFields) {
    this.#replaced = replaced
    this.#fields = fields
      .map(({ name, value, constant }) => ({ name: name.toLowerCase(), value, constant }))
      .filter(({ name }) => !NOT_SENT.includes(name))
      .map(({ name, value, constant }) => ({
        name,
        value,
        encoded: constant === undefined ? '' : encode(name, constant),
      }))
  }

  /** The fields that are set, and with `pass` the client's. */
  encode(r: Request, pass: boolean): string {
    const fields = this.#fields
    let block = ''
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      if (field.encoded !== '') {
        block += field.encoded
        continue
      }
      const value = field.value(r)
      if (value !== '') block += encode(field.name, value)
    }
    return pass ? block + this.#passed(r) : block
  }

  #passed(r: Request): string {
    const { headers } = r
    let block = ''
    for (let i = 0; i < headers.count; i++) {
      const number = headers.number(i)
      if (headers.hidden(i) || this.#replaced.of(number) !== 0 || KINDS.of(number) === OWN) continue
      const name = lowerName(headers.name(i))
      if (KINDS.of(number) === SECRET) block += encode(name, headers.value(i))
      else block += encodeField(name, headers.value(i))
    }
    return block
  }
}

function encode(name: string, value: string): string {
  return SECRETS.has(name) ? encodeNeverIndexed(name, value) : encodeField(name, value)
}

/** Names in lower case, by how they were written: clients write the same ones again and again. */
const lowerNames = new Map<string, string>()

function lowerName(name: string): string {
  const known = lowerNames.get(name)
  if (known !== undefined) return known
  if (lowerNames.size >= LOWER_NAMES_MAX) lowerNames.clear()
  const lower = name.toLowerCase()
  lowerNames.set(name, lower)
  return lower
}
