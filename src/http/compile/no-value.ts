/** What variables are worth that have no value, and what the log says of it. */
import { ERROR, WARN } from '../../log/error-log.ts'
import type { NoValue } from '../../value/variables.ts'
import type { Request } from '../request/request.ts'

/** For requests. */
export const noValue: NoValue<Request> = {
  // Unless the location does not want that said.
  uninitialized(r, name) {
    if (r.location.warnsUninitialized) r.logError(WARN, `using uninitialized "${name}" variable`)
    return ''
  },
  cyclic(r, name) {
    r.logError(ERROR, `cycle while evaluating variable "${name}"`)
  },
}
