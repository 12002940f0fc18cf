/**
 * `disable_symlinks`: a path is refused with ELOOP when one of its components is a symbolic link (or, with
 * `if_not_owner`, a link that belongs to somebody else than what it points to). nginx walks down with `openat`; Node has
 * no such call, so each component is looked at by itself and the last one is opened without following links.
 */
import { lstatPath, statPath } from '../../lib/file-status.ts'

/** What `disable_symlinks` says. */
export type SymlinkMode = 'off' | 'on' | 'if_not_owner'

/** Where the check of `path` begins when its part `from` is trusted; -1 when nothing of it is to be checked. */
export function checkedFrom(path: string, from: string): number {
  if (from === '' || from.length > path.length || !path.startsWith(from)) return 0
  if (from.length === path.length) return -1
  if (path.charCodeAt(from.length) === SLASH) return from.length
  return path.charCodeAt(from.length - 1) === SLASH ? from.length - 1 : 0
}
const SLASH = 0x2f

/** Checks the components of `path` behind `start`; returns an errno's name, or an empty string when the path may be used. */
export function checkSymlinks(path: string, start: number, mode: SymlinkMode): string {
  let at = start
  while (at < path.length) {
    const slash = path.indexOf('/', at + 1)
    const end = slash < 0 ? path.length : slash
    if (end > at + 1) {
      const error = checkComponent(path.slice(0, end), mode)
      if (error !== '') return error
    }
    at = end
  }
  return ''
}

function checkComponent(path: string, mode: SymlinkMode): string {
  const own = lstatPath(path)
  if (typeof own === 'string') return own
  if (!own.isSymbolicLink()) return ''
  if (mode === 'on') return 'ELOOP'
  const target = statPath(path)
  if (typeof target === 'string') return target
  return target.uid === own.uid ? '' : 'ELOOP'
}
