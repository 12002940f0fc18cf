/**
 * Glob patterns as POSIX `glob()` reads them, which nginx calls for `include`: `*`, `?`, `[...]` and backslash only (no
 * braces, no `**`), hidden names only for a pattern that begins with a dot, results in byte order. Paths are binary strings.
 */

/** Lists the paths that match, given how to list a folder and how to see whether a path exists. */
export function expandGlob(
  pattern: string,
  namesIn: (folder: string) => readonly string[],
  exists: (path: string) => boolean,
): readonly string[] {
  let found = [pattern.startsWith('/') ? '/' : '']
  const parts = pattern.split('/').filter((part) => part !== '')
  for (const [i, part] of parts.entries()) {
    const slash = i < parts.length - 1 ? '/' : ''
    if (/[*?[]/.test(part)) {
      const matcher = globMatcher(part)
      found = found.flatMap((folder) => {
        const names = namesIn(folder === '' ? '.' : folder).filter((name) => matcher.test(name))
        return names.map((name) => folder + name + slash)
      })
    } else {
      found = found.map((folder) => folder + part.replace(/\\(.)/g, '$1') + slash)
    }
  }
  return found.filter(exists).sort()
}

/** Translates one path component. */
function globMatcher(part: string): RegExp {
  const hidden = part.startsWith('.') ? '' : '(?!\\.)'
  const source = part.replace(
    /\[([!^]?)(\]?[^\]]*)\]|\\(.)|[\s\S]/g,
    (token, not?: string, set?: string, escaped?: string) => {
      if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\\]^[]/g, '\\$&')}]`
      if (token === '*') return '[\\s\\S]*'
      if (token === '?') return '[\\s\\S]'
      return (escaped ?? token).replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    },
  )
  try {
    return new RegExp(`^${hidden}${source}$`)
  } catch {
    return /(?!)/ // a range such as [z-a] matches nothing
  }
}
