/** The body of a request as a flat JSON object. */
import { type Problem, problem } from './answer.ts'

/** What the body is when it is no JSON. */
const JSON_ERROR: Problem = problem(415, 'JsonError', 'json error')

/** An object without prototype, whose values are anything. */
export type JsonObject = ReadonlyMap<string, unknown>

/** Reads a body; names and texts are those of JSON. */
export function readJson(body: Buffer): JsonObject | Problem {
  let value: unknown
  // tidy: a request of a person or a tool, not of a client
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return JSON_ERROR
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return JSON_ERROR
  return new Map(Object.entries(value))
}
