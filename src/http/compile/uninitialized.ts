/** The value of a variable that `set` makes somewhere, for a request that has not come by there. */
import { WARN } from '../../log/error-log.ts'
import type { Request } from '../request/request.ts'

/** Says so in the log, unless the location does not want that. */
export function uninitialized(r: Request, name: string): string {
  if (r.location.warnsUninitialized) r.logError(WARN, `using uninitialized "${name}" variable`)
  return ''
}
