/** Sizes that may have variables in them (ngx_http_set_complex_value_size_slot): checked at load when they have none. */
import { failDirective } from '../../config/args.ts'
import type { Args } from '../../config/directive.ts'
import { parseSize } from '../../config/units.ts'
import { readTemplate, type Template } from '../../value/template.ts'

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
