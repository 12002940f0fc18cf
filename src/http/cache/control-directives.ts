/**
 * Cache-Control and its kin as lists of directives (RFC 9111, section 5.2), and as RFC 9213 has targeted fields. Names are
 * in lower case; the first of several equal ones counts, and a number that is none makes a response stale.
 */

/** What one field says. */
export class ControlDirectives {
  readonly #values: ReadonlyMap<string, string>
  /** It cannot be understood, as far as its grammar is strict. */
  readonly broken: boolean

  private constructor(values: ReadonlyMap<string, string>, broken: boolean) {
    this.#values = values
    this.broken = broken
  }

  /** Reads Cache-Control, with whatever else stands in it. */
  static of(field: string): ControlDirectives {
    const values = new Map<string, string>()
    for (const [, name, quoted, bare] of field.matchAll(DIRECTIVE)) {
      const key = name!.toLowerCase()
      if (!values.has(key)) values.set(key, quoted?.replace(ESCAPED, '$1') ?? bare ?? '')
    }
    return new ControlDirectives(values, false)
  }

  /** Reads a targeted field: a Dictionary of Structured Fields, of which the last of several equal names counts. */
  static targeted(field: string): ControlDirectives {
    const values = new Map<string, string>()
    let at = 0
    while (at < field.length) {
      MEMBER.lastIndex = at
      const found = MEMBER.exec(field)
      if (found === null) return new ControlDirectives(new Map(), true)
      const [all, name, value] = found
      // `name=?0` denies it.
      if (value === '?0') values.delete(name!)
      else values.set(name!, value === undefined || value === '?1' ? '' : value)
      at += all.length
    }
    return new ControlDirectives(values, false)
  }

  get size(): number {
    return this.#values.size
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** The value, empty when there is none; undefined without the directive. */
  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  /** Seconds; -1 without the directive, 0 when they are no number. */
  seconds(name: string): number {
    const value = this.#values.get(name)
    if (value === undefined) return -1
    return /^\d+$/.test(value) ? Math.min(Number(value), SECONDS_MAX) : 0
  }
}

/** RFC 9111, section 1.2.2: what is more is this much. */
const SECONDS_MAX = 2 ** 31
const DIRECTIVE = /([!#$%&'*+.^`|~\w-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^,\s"]*)))?[^,]*/g
const ESCAPED = /\\(.)/g
const MEMBER =
  /[ ]*([a-z*][a-z0-9_.*-]*)(?:=(\?[01]|-?\d+(?:\.\d+)?|"(?:[^"\\]|\\.)*"|[A-Za-z*][!#$%&'*+.^`|~\w:/-]*))?(?:;[ ]*[a-z*][a-z0-9_.*-]*(?:=[^,;]*)?)*[ \t]*(?:,[ \t]*(?!$)|$)/y
