/** Numbers as people read them. */

/** What stands where there is nothing to say yet. */
export const NOTHING = '–'

/** Something per second. */
export function rate(value: number | undefined): string {
  if (value === undefined) return NOTHING
  if (value === 0) return '0'
  return value < 10 ? value.toFixed(1) : count(value)
}

/** A number with k, M or G when it is long. */
export function count(value: number | undefined): string {
  if (value === undefined) return NOTHING
  const rounded = Math.round(value)
  if (Math.abs(rounded) < 10_000) return rounded.toLocaleString('en')
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
  ] as const) {
    if (Math.abs(rounded) >= size) return `${short(rounded / size)} ${unit}`
  }
  return `${short(rounded / 1e3)} k`
}

/** Bytes in binary units. */
export function bytes(value: number | undefined): string {
  if (value === undefined) return NOTHING
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let n = value
  let unit = 0
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(n) : short(n)} ${units[unit]}`
}

/** Milliseconds, or seconds when there are many. */
export function ms(value: number | undefined): string {
  if (value === undefined || value < 0) return NOTHING
  if (value >= 1000) return `${short(value / 1000)} s`
  if (value === 0) return '0 ms'
  return value < 10 && !Number.isInteger(value) ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`
}

/** A share of one. */
export function percent(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return NOTHING
  const hundredth = value * 100
  return `${hundredth > 0 && hundredth < 10 ? hundredth.toFixed(1) : Math.round(hundredth)} %`
}

/** How long something lasts, in its two largest units. */
export function duration(milliseconds: number): string {
  const s = Math.max(0, Math.floor(milliseconds / 1000))
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`
}

/** A moment of the day; with the date when it is not today's. */
export function moment(atMs: number): string {
  if (atMs === 0) return 'never'
  const at = new Date(atMs)
  const time = at.toLocaleTimeString('en-GB')
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString('en-CA')} ${time}`
}

/** How long ago a moment was. */
export function ago(atMs: number, nowMs: number): string {
  if (atMs === 0) return 'never'
  const passed = nowMs - atMs
  return passed < 2000 ? 'now' : `${duration(passed)} ago`
}

function short(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : String(Math.round(value))
}
