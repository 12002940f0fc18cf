/** Names that responses are purged by: `Surrogate-Key` has them between blanks, `Cache-Tag` between commas. */
import { hashName } from '../../message/field-names.ts'
import type { HeaderTable } from '../../message/header-table.ts'

const SURROGATE_KEY = hashName('surrogate-key')
const CACHE_TAG = hashName('cache-tag')
const NONE: readonly string[] = []

/** The tags in the head of a response, or in that of a request to purge. */
export function tagsOf(fields: HeaderTable): readonly string[] {
  const keys = fields.joined(SURROGATE_KEY, 'surrogate-key', ' ')
  const tags = fields.joined(CACHE_TAG, 'cache-tag', ',')
  if (keys === undefined && tags === undefined) return NONE
  const found = [...(keys ?? '').split(/[ \t]+/), ...(tags ?? '').split(/[ \t]*,[ \t]*/)]
  return [...new Set(found.filter((tag) => tag !== ''))]
}
