/** What a resource of the API is, and what it is asked. */
import type { HttpTree } from '../../../http/compile/module.ts'
import type { Request } from '../../../http/request/request.ts'
import type { Answer, Problem } from './answer.ts'

/** A request that was understood. */
export interface Ask {
  readonly r: Request
  readonly tree: HttpTree
  readonly version: number
  /** What stands for the stars of the resource's path, decoded. */
  readonly names: readonly string[]
  /** All arguments, decoded. */
  readonly words: URLSearchParams
  /** An argument of the request, decoded; undefined when it is not there. */
  argument(name: string): string | undefined
  /** The request body, as bytes. */
  readonly body: Buffer
  /** Writes are allowed here. */
  readonly writable: boolean
}

/** Answers a request. */
export type Handler = (ask: Ask) => Answer | Problem

/** What changes a resource. */
export interface Changes {
  readonly POST?: Handler
  readonly PATCH?: Handler
  readonly DELETE?: Handler
}

/** One resource. */
export interface Resource {
  /** Segments with a slash between them; a star stands for a name. */
  readonly path: string
  /** The first version of the API that has it. */
  readonly since: number
  readonly get: Handler
  readonly changes?: Changes
}
