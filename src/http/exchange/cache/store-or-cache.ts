/** `*_store` and `*_cache` exclude one another: in one block it is a mistake, and of two blocks the inner one holds. */
import type { Directives } from '../../../config/directive.ts'
import type { Scope } from '../../../config/scope.ts'

interface Reporter {
  fail(message: string, at?: ReturnType<Scope['positionOf']>): void
}

/** Reports a block that has both. `declared` are the directives of the module. */
export function checkStore(prefix: string, declared: Directives, scope: Scope, tree: Reporter): void {
  const { stores, caches } = turnsOn(prefix, declared, scope)
  if (!stores || !caches) return
  const words = scope.ordered(declared).map(({ name }) => name)
  const [first, last] =
    words.lastIndexOf(`${prefix}_cache`) > words.lastIndexOf(`${prefix}_store`)
      ? ['store', 'cache']
      : ['cache', 'store']
  const at = scope.positionOf(declared[`${prefix}_${last}`]!)
  tree.fail(`"${prefix}_${last}" directive is incompatible with "${prefix}_${first}"`, at)
}

/** Tells whether the block that speaks last of both keeps copies, and not a cache. */
export function storesInstead(prefix: string, declared: Directives, scope: Scope): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const { stores, caches } = turnsOn(prefix, declared, at)
    if (stores || caches) return stores
  }
  return false
}

function turnsOn(prefix: string, declared: Directives, scope: Scope): { stores: boolean; caches: boolean } {
  // Each block is asked for each family: nothing is gathered.
  scope.read()
  const store = scope.given(declared[`${prefix}_store`]!)
  return {
    stores: store !== undefined && store !== 'off',
    caches: scope.given(declared[`${prefix}_cache`]!) !== undefined,
  }
}
