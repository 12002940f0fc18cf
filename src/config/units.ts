/**
 * nginx's notations for numbers, sizes and times (`ngx_string.c`, `ngx_parse.c`), as pure functions: `undefined` is
 * nginx's NGX_ERROR. Results beyond 2^53 lose precision but are accepted up to nginx's own 64-bit limit.
 */

const INT64_MAX = 0x7fffffffffffffffn
const SIZE_SCALES: Readonly<Record<string, bigint>> = { k: 1024n, m: 1048576n }
const OFFSET_SCALES: Readonly<Record<string, bigint>> = { ...SIZE_SCALES, g: 1073741824n }

/** Units of time in the order in which they may be written, each at most once. */
const TIME_UNITS: readonly (readonly [unit: string, seconds: bigint])[] = [
  ['y', 31536000n],
  ['M', 2592000n],
  ['w', 604800n],
  ['d', 86400n],
  ['h', 3600n],
  ['m', 60n],
  ['s', 1n],
]
const STEP_MONTH = 1
const STEP_SECOND = TIME_UNITS.length - 1
const STEP_MILLISECOND = STEP_SECOND + 1
const STEP_LAST = STEP_MILLISECOND + 1

/** Reads a non-negative decimal integer (`ngx_atoi`). */
export function parseNumber(text: string): number | undefined {
  const value = parseInteger(text)
  return value === undefined ? undefined : Number(value)
}

/** Reads a size: digits and an optional `k` or `m` (`ngx_parse_size`). */
export function parseSize(text: string): number | undefined {
  return parseScaled(text, SIZE_SCALES)
}

/** Reads an offset: as a size, and `g` (`ngx_parse_offset`). */
export function parseOffset(text: string): number | undefined {
  return parseScaled(text, OFFSET_SCALES)
}

/** Reads a time such as `1h30m` or `500ms` and returns milliseconds; a bare number is seconds. */
export function parseMilliseconds(text: string): number | undefined {
  return parseTime(text, 1000n)
}

/** Reads a time such as `1y2M` and returns seconds; `ms` is not accepted. */
export function parseSeconds(text: string): number | undefined {
  return parseTime(text, 1n)
}

/** Reads a decimal with at most `point` fractional digits and returns it times 10^point (`ngx_atofp`). */
export function parseFixedPoint(text: string, point: number): number | undefined {
  const match = /^(\d+|(?=\.\d))(?:\.(\d*))?$/.exec(text)
  if (match === null) return undefined
  const fraction = match[2] ?? ''
  return fraction.length > point ? undefined : parseNumber(match[1] + fraction.padEnd(point, '0'))
}

function parseInteger(text: string): bigint | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined
  const value = BigInt(text)
  return value > INT64_MAX ? undefined : value
}

function parseScaled(text: string, scales: Readonly<Record<string, bigint>>): number | undefined {
  const scale = scales[text.slice(-1).toLowerCase()]
  const value = parseInteger(scale === undefined ? text : text.slice(0, -1))
  if (value === undefined || value > INT64_MAX / (scale ?? 1n)) return undefined
  return Number(value * (scale ?? 1n))
}

function parseTime(text: string, perSecond: bigint): number | undefined {
  const parts = /(\d*)(ms|[yMwdhms ])( *)/y
  let step = perSecond === 1n ? -1 : STEP_MONTH
  let total = 0n
  let at = 0
  for (let part = parts.exec(text); part !== null; part = parts.exec(text)) {
    const next = stepOf(part[2]!, step, perSecond)
    if (next === undefined) return undefined
    const scale = next === STEP_MILLISECOND ? 1n : (TIME_UNITS[next]?.[1] ?? 1n) * perSecond
    total += BigInt(part[1]!) * scale
    if (total > INT64_MAX) return undefined
    step = next
    at = parts.lastIndex
  }
  const rest = text.slice(at)
  if (!/^\d*$/.test(rest) || !/\d/.test(text)) return undefined
  total += BigInt(rest) * perSecond
  return total > INT64_MAX ? undefined : Number(total)
}

/** The step that a unit takes from `step`, or undefined when it may not follow. */
function stepOf(unit: string, step: number, perSecond: bigint): number | undefined {
  if (unit === 'ms') return perSecond === 1n || step >= STEP_MILLISECOND ? undefined : STEP_MILLISECOND
  if (unit === ' ') return step >= STEP_SECOND ? undefined : STEP_LAST
  const next = TIME_UNITS.findIndex(([name]) => name === unit)
  return step >= next ? undefined : next
}
