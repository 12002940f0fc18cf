/** What a resource of the API answers, and its errors as NGINX Plus words them. */

/** An answer; `body` is turned into JSON, and there is none when it is undefined. */
export interface Answer {
  readonly status: number
  readonly body?: unknown
  /** Where what was made can be found. */
  readonly location?: string
}

/** A failed request, with NGINX Plus's code for it. */
export interface Problem {
  readonly status: number
  readonly text: string
  readonly code: string
}

/** Answers with an object. */
export function found(body: unknown): Answer {
  return { status: 200, body }
}

/** It is done, and there is nothing to say. */
export const DONE_SILENTLY: Answer = { status: 204 }

/** Makes a failure. */
export function problem(status: number, code: string, text: string): Problem {
  return { status, code, text }
}

/** Tells failures from answers. */
export function isProblem(answer: Answer | Problem): answer is Problem {
  return 'code' in answer
}

/** There is nothing at such a path. */
export const PATH_NOT_FOUND: Problem = problem(404, 'PathNotFound', 'path not found')
/** No version has that number. */
export const UNKNOWN_VERSION: Problem = problem(404, 'UnknownVersion', 'unknown version')
/** Changes are not allowed, or not of this. */
export const METHOD_DISABLED: Problem = problem(405, 'MethodDisabled', 'method disabled')
