/** What a case of HTTP/2 is made of. */
import { END_HEADERS, END_STREAM, HEADERS } from '../../src/http/h2/wire/frames.ts'
import { blockOf, type H2Client, requestFields } from '../harness/h2-client.ts'

/** How a case must end. */
export type Outcome =
  /** The connection goes on: a request on this stream gets a head with 200. */
  | { readonly kind: 'fine'; readonly stream: number }
  /** The response on stream 1 has this status (a malformed request is answered before it is given up). */
  | { readonly kind: 'status'; readonly status: number }
  /** Stream 1 is reset with one of these codes, or the connection ends with one. */
  | { readonly kind: 'stream'; readonly codes: readonly number[] }
  /** The connection ends with one of these codes. */
  | { readonly kind: 'connection'; readonly codes: readonly number[] }

/** One case. */
export interface Case {
  readonly section: string
  readonly name: string
  readonly send: (c: H2Client) => void | Promise<void>
  readonly outcome: Outcome
  /** Preface and settings are not sent before. */
  readonly silent?: boolean
}

/** The flags of a head that a body follows. */
export const OPEN = END_HEADERS
/** The flags of a head that is all. */
export const WHOLE = END_HEADERS | END_STREAM
/** The blocks of two requests. */
export const GET = blockOf(requestFields())
export const POST = blockOf(requestFields({ method: 'POST', path: '/echo' }))

type Fields = readonly (readonly [string, string])[]

/** Outcomes by their kind. */
export const fine = (stream = 99): Outcome => ({ kind: 'fine', stream })
export const status = (code: number): Outcome => ({ kind: 'status', status: code })
export const stream = (...codes: number[]): Outcome => ({ kind: 'stream', codes })
export const connection = (...codes: number[]): Outcome => ({ kind: 'connection', codes })

/** Sends a usual head with more fields. */
export const head =
  (...fields: Fields) =>
  (c: H2Client) =>
    c.frame(HEADERS, WHOLE, 1, blockOf([...requestFields(), ...fields]))
/** Sends a head of these fields alone. */
export const raw =
  (...fields: Fields) =>
  (c: H2Client) =>
    c.frame(HEADERS, WHOLE, 1, blockOf(fields))
/** Sends a usual head with these bytes behind it. */
export const hpack = (bytes: string) => (c: H2Client) => c.frame(HEADERS, WHOLE, 1, GET + bytes)
/** Sends one frame. */
export const once = (type: number, flags: number, id: number, payload: string) => (c: H2Client) =>
  c.frame(type, flags, id, payload)

/** Has a request answered. */
export async function answered(c: H2Client, id = 1): Promise<void> {
  c.frame(HEADERS, WHOLE, id, GET)
  await c.response(id)
}

/** The pseudo-fields that a request must have. */
export const M = [':method', 'GET'] as const
export const S = [':scheme', 'http'] as const
export const P = [':path', '/'] as const
export const A = [':authority', 'localhost'] as const
