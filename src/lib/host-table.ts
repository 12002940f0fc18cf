/**
 * Values by host name, exact or with a wildcard at one end (nginx's combined hashes): an exact name wins, then the
 * longest `*.suffix`, then the longest `prefix.*`. Names have no case.
 */
import { lowerAscii } from './bytes.ts'

/** What `add` says: `invalid` is a misplaced wildcard, `conflict` a name that is already there. */
export type Added = 'ok' | 'invalid' | 'conflict'

export class HostTable<V> {
  readonly #exact = new Map<string, V>()
  /** By what follows `*.` and what precedes `.*`. */
  readonly #suffixes = new Map<string, V>()
  readonly #prefixes = new Map<string, V>()

  /** Adds a name; `.example.com` stands for `example.com` and `*.example.com`. */
  add(name: string, value: V): Added {
    const key = lowerAscii(name)
    if (key.split('*').length > 2 || key.includes('..') || key.includes('\0')) return 'invalid'
    if (key.length > 1 && key.startsWith('.')) {
      const bare = key.slice(1)
      if (this.#exact.has(bare)) return 'conflict'
      this.#exact.set(bare, value)
      return put(this.#suffixes, bare, value)
    }
    if (key.length > 2 && key.startsWith('*.')) return put(this.#suffixes, key.slice(2), value)
    if (key.length > 2 && key.endsWith('.*')) return put(this.#prefixes, key.slice(0, -2), value)
    return key.includes('*') ? 'invalid' : put(this.#exact, key, value)
  }

  /** Adds a key that is no host name: an asterisk in it means itself. */
  addExact(key: string, value: V): Added {
    return put(this.#exact, lowerAscii(key), value)
  }

  /** Finds the value for a name of any case. */
  find(name: string): V | undefined {
    const key = lowerAscii(name)
    const exact = this.#exact.get(key)
    if (exact !== undefined) return exact
    if (this.#suffixes.size > 0) {
      for (let dot = key.indexOf('.'); dot >= 0; dot = key.indexOf('.', dot + 1)) {
        const value = this.#suffixes.get(key.slice(dot + 1))
        if (value !== undefined) return value
      }
    }
    if (this.#prefixes.size > 0) {
      for (let dot = key.lastIndexOf('.'); dot > 0; dot = key.lastIndexOf('.', dot - 1)) {
        const value = this.#prefixes.get(key.slice(0, dot))
        if (value !== undefined) return value
      }
    }
    return undefined
  }
}

function put<V>(map: Map<string, V>, key: string, value: V): Added {
  if (map.has(key)) return 'conflict'
  map.set(key, value)
  return 'ok'
}
