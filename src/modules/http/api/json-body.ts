/** The body of a request as a flat JSON object. */
import { toBinary } from '../../../lib/bytes.ts'
import { type Problem, problem } from './answer.ts'

/** What the body is when it is no JSON. */
const JSON_ERROR: Problem = problem(415, 'JsonError', 'json error')

/** An object without prototype, whose values are anything. */
export type JsonObject = ReadonlyMap<string, unknown>

/** Reads a body; names and texts are binary strings, as all text of the server. */
export function readJson(body: Buffer): JsonObject | Problem {
  let value: unknown
  // tidy: a request of a person or a tool, not of a client
  try {
    value = JSON.parse(body.toString('utf8'), inBytes)
  } catch {
    return JSON_ERROR
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON_ERROR
  return new Map(Object.entries(value).map(([name, inner]) => [toBinary(name), inner]))
}

function inBytes(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? toBinary(value) : value
}
