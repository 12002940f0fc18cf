/** How a pattern refers to a group (`\g{-1}`, `\k<name>`) and names one. */
import type { Cursor } from './pcre-cursor.ts'

const NAME_SIZE_MAX = 32
const NAME_SYNTAX = 'syntax error in subpattern name (missing terminator?)'
const G_SYNTAX = '\\g is not followed by a braced, angle-bracketed, or quoted name/number or by a plain number'
const K_SYNTAX = '\\k is not followed by a braced, angle-bracketed, or quoted name'

/** A group by number or name, and where an error about it points. */
export interface GroupReference {
  readonly target: number | string
  readonly at: number
}

/** Reads `g...` after a backslash; `count` is the number of groups so far, for relative numbers. */
export function readG(cursor: Cursor, count: number): GroupReference | undefined {
  const found = cursor.match(/g(?:\{([-+]?\d+)\}|([-+]?\d+)|\{([A-Za-z_]\w*)\})/y)
  if (found === undefined) {
    const isCall = /^g[<']/.test(cursor.text.slice(cursor.at))
    if (isCall) cursor.fail('a subroutine call (\\g<...>) is not supported')
    else cursor.fail(G_SYNTAX, cursor.at + 1)
    return undefined
  }
  const at = cursor.at - 1
  if (found[3] !== undefined) return { target: found[3], at }
  const digits = found[1] ?? found[2]!
  const relative = digits[0] === '-' ? count + 1 : digits[0] === '+' ? count : 0
  return { target: relative + Number(digits), at }
}

/** Reads `k<name>`, `k'name'` or `k{name}` after a backslash. */
export function readK(cursor: Cursor): GroupReference | undefined {
  const found = cursor.match(/k(?:\{(\w+)\}|<(\w+)>|'(\w+)')/y)
  if (found === undefined) {
    cursor.fail(K_SYNTAX, cursor.at + 1)
    return undefined
  }
  const name = found[1] ?? found[2] ?? found[3]!
  return { target: name, at: cursor.at - 1 - name.length }
}

/** Reads a group's name and its terminator. */
export function readName(cursor: Cursor, terminator: string): string | undefined {
  const name = cursor.match(/\w*/y)![0]
  if (name === '') cursor.fail('subpattern name expected')
  else if (/^\d/.test(name)) cursor.fail('subpattern name must start with a non-digit', cursor.at - name.length)
  else if (name.length > NAME_SIZE_MAX) cursor.fail('subpattern name is too long (maximum 32 code units)')
  else if (!cursor.eat(terminator)) cursor.fail(NAME_SYNTAX)
  else return name
  return undefined
}
