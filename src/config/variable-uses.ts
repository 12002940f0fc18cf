/**
 * The variables that a configuration names, wherever it does: one that nobody defines is a mistake also in a directive that
 * no location needs (nginx finds it when all is read, ngx_http_variables_init_vars).
 */
import type { Context } from './directive.ts'
import type { Position, Word } from './source.ts'

/** Each has variables of its own. */
export type Protocol = 'http' | 'stream'

const GROUP_NAME = /\(\?P?[<'](\w+)[>']/g

/** Filled while a configuration is read. */
export class VariableUses {
  readonly #uses = { http: new Map<string, Position>(), stream: new Map<string, Position>() }
  readonly #groups = new Set<string>()

  /** A directive of `context` names a variable. */
  note(context: Context, name: string, at: Position): void {
    const uses = this.#uses[context.startsWith('stream') ? 'stream' : 'http']
    const key = name.toLowerCase()
    if (!uses.has(key)) uses.set(key, at)
  }

  /** Looks for named groups of regular expressions, which make variables. */
  read(words: readonly Word[]): void {
    for (const { text } of words) {
      if (!text.includes('(?')) continue
      for (const match of text.matchAll(GROUP_NAME)) this.#groups.add(match[1]!.toLowerCase())
    }
  }

  /** Names in lower case, with the places where they stand first; those that a regular expression makes are left out. */
  of(protocol: Protocol): ReadonlyMap<string, Position> {
    return new Map([...this.#uses[protocol]].filter(([name]) => !this.#groups.has(name)))
  }
}
