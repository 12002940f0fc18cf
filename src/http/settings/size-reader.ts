/** Sizes that may have variables in them (ngx_http_set_complex_value_size_slot): checked at load when they have none. */
import { failDirective } from '../../config/args.ts'
import type { Args } from '../../config/directive.ts'
import { parseSize } from '../../config/units.ts'
import { ERROR } from '../../log/error-log.ts'
import { readTemplate, type Template } from '../../value/template.ts'
import type { AttachContext } from '../compile/module.ts'
import type { Request } from '../request/request.ts'

/** Reads a size with variables; one without them must be a size. */
export const sizeTemplate = (name: string): Args<Template> => ({
  syntax: name,
  min: 1,
  max: 1,
  read([w], at) {
    const value = readTemplate(w!, at)
    if (value.constant !== undefined && parseSize(value.constant) === undefined) failDirective(at, 'invalid value', w)
    return value
  },
})

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
