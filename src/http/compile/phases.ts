/** Steps that the compiler puts between those of the modules: what nginx's phase checkers do. */

import { ALERT, ERROR } from '../../log/error-log.ts'
import type { Step } from '../request/plan.ts'
import type { Request } from '../request/request.ts'
import { defineMark } from '../request/slots.ts'
import { ALLOWED, NEXT, type Verdict } from '../request/verdict.ts'
import { filePath } from '../response/file-path.ts'
import { challenge } from './auth-delay.ts'

/** After the rewrite rules of a location: look again if they changed the URI, else go on where they left. */
export function afterRewrite(r: Request): Verdict {
  if (!r.uriChanged) {
    r.goto(r.location.steps, 0)
    return NEXT
  }
  if (--r.uriChanges <= 0) {
    r.logError(ERROR, `rewrite or internal redirection cycle while processing "${r.uri}"`)
    return 500
  }
  r.location = r.server.base
  r.goto(r.server.startSteps, r.server.findAt)
  return NEXT
}

/** Wraps access steps: with `satisfy all` each must let pass, with `any` the first that allows ends the phase. */
export function accessSteps(steps: readonly Step[], satisfy: 'all' | 'any'): Step[] {
  if (steps.length === 0) return []
  const run = satisfy === 'all' ? mustPass : mayPass
  const wrapped = steps.map((step): Step => ({ run: run as Step['run'], conf: step }))
  const decide: Step = { run: decideAny as Step['run'], conf: undefined }
  return satisfy === 'all' ? wrapped : [...wrapped, decide]
}

function mustPass(r: Request, step: Step): Verdict {
  // A subrequest is part of a request that was let in.
  if (r !== r.main) return NEXT
  const verdict = step.run(r, step.conf as never)
  if (verdict === ALLOWED) return NEXT
  return asksForCredentials(verdict) ? challenge(r, verdict) : verdict
}

/** What `satisfy any` has found so far: 0 while undecided, ALLOWED, or the status of the last refusal. */
const FOUND = defineMark(407)

function mayPass(r: Request, step: Step): Verdict {
  if (r.mark(FOUND) === ALLOWED || r !== r.main) return NEXT
  const verdict = step.run(r, step.conf as never)
  if (verdict === ALLOWED) {
    r.setMark(FOUND, ALLOWED)
    r.out.remove('www-authenticate')
    r.out.remove('proxy-authenticate')
    return NEXT
  }
  if (!asksForCredentials(verdict) && verdict !== 403) return verdict
  // A challenge says more than a refusal.
  if (!asksForCredentials(r.mark(FOUND))) r.setMark(FOUND, verdict)
  return NEXT
}

function decideAny(r: Request): Verdict {
  const access = r.mark(FOUND)
  r.setMark(FOUND, 0)
  if (access === 0 || access === ALLOWED) return NEXT
  if (access === 403) r.logError(ERROR, 'access forbidden by rule')
  return asksForCredentials(access) ? challenge(r, access) : access
}

function asksForCredentials(verdict: Verdict): boolean {
  return verdict === 401 || verdict === 407
}

/** No module had content. */
export const contentMissing: Step = {
  run: (r: Request) => {
    if (!r.uri.endsWith('/')) return 404
    r.logError(ERROR, `directory index of "${filePath(r)}" is forbidden`)
    return 403
  },
  conf: undefined,
}

/**
 * Ends the plan of an `if` without a handler for a request that came through another one with `proxy_pass`: nginx keeps the
 * handler of the first and the settings of the second, and cannot answer.
 */
export const handlerStranded: Step = {
  run: (r: Request) => {
    r.logError(ALERT, 'no upstream configuration')
    return 500
  },
  conf: undefined,
}
