/** A size with variables, compiled. */
import { parseSize } from '../../config/units.ts'
import { ERROR } from '../../log/error-log.ts'
import type { Template } from '../../value/template.ts'
import type { Request } from '../request/request.ts'
import type { AttachContext } from './module.ts'

/** The size for a request; one that is none counts as 0 and is logged. */
export function compileSize(size: Template, at: AttachContext): (r: Request) => number {
  if (size.constant !== undefined) {
    const constant = parseSize(size.constant) ?? 0
    return () => constant
  }
  const text = at.text(size)
  return (r) => {
    const value = text(r)
    const bytes = parseSize(value)
    if (bytes === undefined) r.logError(ERROR, `invalid size "${value}"`)
    return bytes ?? 0
  }
}
