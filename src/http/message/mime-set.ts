/** Lists of media types as directives such as `gzip_types` take them (ngx_http_types_slot, ngx_http_test_content_type). */
import type { Args, ReadContext } from '../../config/directive.ts'

/** Reads media types; `always` is the one that belongs to every list of the directive. `*` means any. */
export function mimeTypes(always = 'text/html'): Args<readonly string[]> {
  return {
    syntax: 'mime-type ...',
    min: 1,
    max: Number.POSITIVE_INFINITY,
    read(list, at: ReadContext) {
      const types: string[] = []
      for (const w of list) {
        const type = w.text.toLowerCase()
        if (type === '*') return ['*']
        if (type === always || types.includes(type)) at.warn(`duplicate MIME type "${type}"`, w)
        else types.push(type)
      }
      return types
    },
    joins(earlier, types, at) {
      const before = earlier.flat()
      if (before.includes('*')) return
      for (const type of types) if (before.includes(type)) at.warn(`duplicate MIME type "${type}"`)
    },
  }
}

/** The media types that a filter works on. */
export class MimeSet {
  readonly #types: ReadonlySet<string>
  readonly #any: boolean

  /** From the lists of a place, after inheritance; `always` holds whatever they say. */
  constructor(lists: readonly (readonly string[])[], ...always: readonly string[]) {
    this.#types = new Set([...always, ...lists.flat()])
    this.#any = this.#types.has('*')
  }

  /** Tells whether a Content-Type is in the list, whatever parameters it has; `*` takes a response without one too. */
  has(contentType: string): boolean {
    if (this.#any || this.#types.has(contentType)) return true
    if (contentType === '') return false
    const semicolon = contentType.indexOf(';')
    const type = semicolon < 0 ? contentType : contentType.slice(0, semicolon).trimEnd()
    return this.#types.has(type.toLowerCase())
  }
}
