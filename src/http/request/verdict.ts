/** What a step of the request's plan answers. The numbers mean the same everywhere. */

/** Go on with the next step. */
export const NEXT = 0
/** The response is under way or finished: nothing more to do in the plan. */
export const DONE = 1
/** Stopped; `Request.resume` will go on. */
export const WAIT = 2
/** An access step's own: the request is allowed, and `satisfy any` needs no more. */
export const ALLOWED = 3

/** `NEXT`, `DONE`, `WAIT`, or a status of 100 and more: "finish with this". */
export type Verdict = number
