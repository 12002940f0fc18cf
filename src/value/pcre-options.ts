/** The letters of `(?imsxnU-...)`: what they change in the meaning of a pattern. */

/** Options in force at a place; a group gets a copy. */
export interface Options {
  i: boolean
  m: boolean
  s: boolean
  x: boolean
  xx: boolean
  n: boolean
  U: boolean
}

/** Options at the start of a pattern. */
export function startOptions(caseless: boolean, multiline: boolean): Options {
  return { i: caseless, m: multiline, s: false, x: false, xx: false, n: false, U: false }
}

/** Switches the letters of `on`, which may begin with `^` (all off first), and then those of `off`. */
export function setOptions(options: Options, on: string, off: string): void {
  if (on.startsWith('^')) options.i = options.m = options.s = options.x = options.xx = options.n = false
  for (const letter of on) setOption(options, letter, true)
  if (on.includes('xx')) options.xx = true
  for (const letter of off) setOption(options, letter, false)
}

function setOption(options: Options, letter: string, value: boolean): void {
  if (letter === 'x') {
    options.x = value
    options.xx = false
  } else if (letter === 'i' || letter === 'm' || letter === 's' || letter === 'n' || letter === 'U') {
    options[letter] = value
  }
}
