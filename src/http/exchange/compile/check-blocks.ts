/** What nginx checks of each block that says something about back ends: settings that do not go together. */

import type { Directives } from '../../../config/directive.ts'
import type { Scope } from '../../../config/scope.ts'
import { checkPasswords } from '../../../tls/loader.ts'
import type { HttpTree } from '../../compile/module.ts'
import { checkOuterZone } from '../cache/conf.ts'
import { checkStore } from '../cache/store-or-cache.ts'
import type { CacheDirectives } from '../directives/cache.ts'

const SIZES = ['buffer_size', 'buffers', 'busy_buffers_size', 'temp_file_write_size', 'max_temp_file_size'] as const

/** Checks a block of the family `prefix`; `declared` are the directives of the module. */
export function checkBlock(prefix: string, declared: Directives, scope: Scope, tree: HttpTree): void {
  scope.read()
  checkStore(prefix, declared, scope, tree)
  checkPasswords(declared[`${prefix}_ssl_password_file`], scope, tree)
  const cache = scope.context === 'http' ? declared[`${prefix}_cache`] : undefined
  if (cache !== undefined) checkOuterZone(prefix, scope.given(cache) as CacheDirectives['cache'], tree)
  const last = SIZES.findLast((name) => scope.given(declared[`${prefix}_${name}`]!) !== undefined)
  if (last === undefined) return
  const problem = sizeProblem(prefix, scope.resolve(declared))
  if (problem !== undefined) tree.fail(problem, scope.positionOf(declared[`${prefix}_${last}`]!))
}

function sizeProblem(prefix: string, conf: Readonly<Record<string, unknown>>): string | undefined {
  const numberOf = (name: string): number | undefined => conf[`${prefix}_${name}`] as number | undefined
  const buffers = conf[`${prefix}_buffers`] as { readonly count: number; readonly size: number }
  if (buffers.count < 2) return `there must be at least 2 "${prefix}_buffers"`
  const size = Math.max(numberOf('buffer_size')!, buffers.size)
  const busy = numberOf('busy_buffers_size') ?? 2 * size
  const largest = `the maximum of the value of "${prefix}_buffer_size" and one of the "${prefix}_buffers"`
  if (busy < size) return `"${prefix}_busy_buffers_size" must be equal to or greater than ${largest}`
  if (busy > (buffers.count - 1) * buffers.size) {
    return `"${prefix}_busy_buffers_size" must be less than the size of all "${prefix}_buffers" minus one buffer`
  }
  if ((numberOf('temp_file_write_size') ?? size) < size) {
    return `"${prefix}_temp_file_write_size" must be equal to or greater than ${largest}`
  }
  const file = numberOf('max_temp_file_size')!
  if (file === 0 || file >= size) return undefined
  return (
    `"${prefix}_max_temp_file_size" must be equal to zero to disable temporary files usage ` +
    `or must be equal to or greater than ${largest}`
  )
}
