/** Permissions as `proxy_store_access` and `dav_access` take them (ngx_conf_set_access_slot). */
import { raw } from './args.ts'
import { mapped } from './combine.ts'
import type { Args } from './directive.ts'

const SHIFTS: Readonly<Record<string, number>> = { user: 6, group: 3, all: 0 }
const OWNER_ONLY = 0o600

/** `users:permissions ...`, as bits of a file's mode. */
export const accessMode: Args<number> = mapped(raw('users:permissions ...', { min: 1, max: 3 }), (words, _, at) => {
  const owner = words.some((word) => word.text.startsWith('user:')) ? 0 : OWNER_ONLY
  return words.reduce((mode, word) => {
    const [, who, right] = /^(user|group|all):(rw|r)$/.exec(word.text) ?? []
    if (who === undefined) return at.fail(`invalid value "${word.text}"`, word)
    return mode | ((right === 'rw' ? 6 : 4) << SHIFTS[who]!)
  }, owner)
})
