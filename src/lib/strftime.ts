/** Dates by a format as C's strftime has it, in the C locale. */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const DAY_MS = 86_400_000

/** A moment, and how far local time is ahead of UTC in minutes; `zone` is what `%Z` says. */
interface Moment {
  /** The moment moved by the offset, so that its UTC parts are the local ones. */
  readonly date: Date
  readonly offsetMinutes: number
  readonly zone: string
}

/** Formats the moment `ms` (since the epoch) in UTC or in local time. */
export function strftime(format: string, ms: number, utc: boolean): string {
  const offsetMinutes = utc ? 0 : -new Date(ms).getTimezoneOffset()
  const moment = {
    date: new Date(ms + offsetMinutes * 60_000),
    offsetMinutes,
    zone: utc ? 'GMT' : zoneName(ms, offsetMinutes),
  }
  return expand(format, moment)
}

function expand(format: string, moment: Moment): string {
  return format.replace(/%[EO]?(.)/gs, (whole, letter: string) => PARTS[letter]?.(moment) ?? whole)
}

function zoneName(ms: number, offsetMinutes: number): string {
  if (offsetMinutes === 0 && (process.env['TZ'] ?? 'UTC').includes('UTC')) return 'UTC'
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(ms)
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
}

const two = (n: number, fill = '0'): string => String(n).padStart(2, fill)
const hour12 = (d: Date): number => d.getUTCHours() % 12 || 12
const dayOfYear = (d: Date): number => Math.floor((d.getTime() - Date.UTC(d.getUTCFullYear(), 0, 1)) / DAY_MS)
const weekday = (d: Date): number => d.getUTCDay() || 7

/** Year and week by ISO 8601: a week belongs to the year of its Thursday. */
function isoWeek(d: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(d.getTime() + (4 - weekday(d)) * DAY_MS)
  return { year: thursday.getUTCFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 }
}

function numericZone({ offsetMinutes }: Moment): string {
  const size = Math.abs(offsetMinutes)
  return (offsetMinutes < 0 ? '-' : '+') + two(Math.floor(size / 60)) + two(size % 60)
}

const PARTS: Readonly<Record<string, (m: Moment) => string>> = {
  a: ({ date }) => DAYS[date.getUTCDay()]!.slice(0, 3),
  A: ({ date }) => DAYS[date.getUTCDay()]!,
  b: ({ date }) => MONTHS[date.getUTCMonth()]!.slice(0, 3),
  B: ({ date }) => MONTHS[date.getUTCMonth()]!,
  c: (m) => expand('%a %b %e %H:%M:%S %Y', m),
  C: ({ date }) => two(Math.floor(date.getUTCFullYear() / 100)),
  d: ({ date }) => two(date.getUTCDate()),
  D: (m) => expand('%m/%d/%y', m),
  e: ({ date }) => two(date.getUTCDate(), ' '),
  F: (m) => expand('%Y-%m-%d', m),
  g: ({ date }) => two(isoWeek(date).year % 100),
  G: ({ date }) => String(isoWeek(date).year),
  h: ({ date }) => MONTHS[date.getUTCMonth()]!.slice(0, 3),
  H: ({ date }) => two(date.getUTCHours()),
  I: ({ date }) => two(hour12(date)),
  j: ({ date }) => String(dayOfYear(date) + 1).padStart(3, '0'),
  k: ({ date }) => two(date.getUTCHours(), ' '),
  l: ({ date }) => two(hour12(date), ' '),
  m: ({ date }) => two(date.getUTCMonth() + 1),
  M: ({ date }) => two(date.getUTCMinutes()),
  n: () => '\n',
  p: ({ date }) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  P: ({ date }) => (date.getUTCHours() < 12 ? 'am' : 'pm'),
  r: (m) => expand('%I:%M:%S %p', m),
  R: (m) => expand('%H:%M', m),
  s: ({ date, offsetMinutes }) => String(Math.floor(date.getTime() / 1000) - offsetMinutes * 60),
  S: ({ date }) => two(date.getUTCSeconds()),
  t: () => '\t',
  T: (m) => expand('%H:%M:%S', m),
  u: ({ date }) => String(weekday(date)),
  U: ({ date }) => two(Math.floor((dayOfYear(date) + 7 - date.getUTCDay()) / 7)),
  V: ({ date }) => two(isoWeek(date).week),
  w: ({ date }) => String(date.getUTCDay()),
  W: ({ date }) => two(Math.floor((dayOfYear(date) + 8 - weekday(date)) / 7)),
  x: (m) => expand('%m/%d/%y', m),
  X: (m) => expand('%H:%M:%S', m),
  y: ({ date }) => two(date.getUTCFullYear() % 100),
  Y: ({ date }) => String(date.getUTCFullYear()),
  z: numericZone,
  Z: ({ zone }) => zone,
  '%': () => '%',
}
