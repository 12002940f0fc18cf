/**
 * Texts of a configuration may name variables that are made of texts again, and of themselves at last: a map whose
 * default is another map's variable, a root that a variable of its own folder makes. How deep that goes is bounded, as in
 * nginx (ngx_http_variable_depth), for no check at load can tell which keys lead around.
 */

const DEPTH_MAX = 100

/** How many are being computed in this thread, one inside the other. */
let depth = 0
/** It went too deep: nothing more is computed until all are done, or what names itself twice would take for ever. */
let unwinding = false

/** Tells whether what has just been computed is a part of a circle: no value to keep. */
export function isUnwinding(): boolean {
  return unwinding
}

/**
 * Returns `compute` with a bound. What is inside of itself, or of too many others, is empty; `onCycle` is told of it once.
 */
export function bounded<R, T extends string | undefined>(
  compute: (r: R) => T,
  onCycle: (r: R) => void,
): (r: R) => T | '' {
  return (r) => {
    if (unwinding) return ''
    if (depth === DEPTH_MAX) {
      unwinding = true
      onCycle(r)
      return ''
    }
    depth++
    // tidy: not measurable (158 and 149 ns, 185 and 181), and whoever catches what is thrown computes other texts
    try {
      return compute(r)
    } finally {
      if (--depth === 0) unwinding = false
    }
  }
}
