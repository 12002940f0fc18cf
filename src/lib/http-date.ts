/**
 * HTTP dates (RFC 9110, section 5.6.7): formatting, and parsing of the three formats as lenient as
 * nginx's `ngx_parse_http_time` (the weekday is not checked, and nothing after the seconds is).
 */

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'
const DAYS_IN_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

// Day, month and year stand in another order in asctime's format, so each has its own expression.
const RFC822 = /^[^, ]*, *(\d\d) ([A-Z]..) (\d{4}) (\d\d):(\d\d):(\d\d)/
const RFC850 = /^[^, ]*, *(\d\d)-([A-Z]..)-(\d\d) (\d\d):(\d\d):(\d\d)/
const ASCTIME = /^[^, ]+ +([A-Z]..) ( ?\d|\d\d) (\d\d):(\d\d):(\d\d) (\d{4})/

/** Dates formatted lately: responses tell the same few again and again (when a file changed, when it expires). */
const RECENT = 256
const recentSeconds = new Float64Array(RECENT).fill(-1)
const recentTexts: string[] = new Array<string>(RECENT).fill('')

/** Formats seconds since the epoch as `Tue, 10 Nov 2026 23:50:13 GMT`; times before the epoch become the epoch. */
export function formatHttpDate(seconds: number): string {
  const at = seconds & (RECENT - 1)
  if (recentSeconds[at] === seconds && seconds >= 0) return recentTexts[at]!
  const text = new Date(Math.max(0, seconds) * 1000).toUTCString()
  recentSeconds[at] = seconds
  recentTexts[at] = text
  return text
}

/** Formats a cookie's expiry as nginx does: `Tue, 10-Nov-26 23:50:13 GMT`, with four year digits after 2037. */
export function formatCookieDate(seconds: number): string {
  const text = formatHttpDate(seconds)
  const year = Number(text.slice(12, 16))
  const shown = year > 2037 ? text.slice(12, 16) : text.slice(14, 16)
  return `${text.slice(0, 7)}-${text.slice(8, 11)}-${shown}${text.slice(16)}`
}

/** Parses a date in any of the three formats to seconds since the epoch; -1 when it is not one. */
export function parseHttpDate(text: string): number {
  let found = RFC822.exec(text)
  if (found !== null) return seconds(Number(found[3]), found[2]!, found[1]!, found[4]!, found[5]!, found[6]!)
  found = RFC850.exec(text)
  if (found !== null) {
    const year = Number(found[3])
    return seconds(year + (year < 70 ? 2000 : 1900), found[2]!, found[1]!, found[4]!, found[5]!, found[6]!)
  }
  found = ASCTIME.exec(text)
  if (found !== null) return seconds(Number(found[6]), found[1]!, found[2]!, found[3]!, found[4]!, found[5]!)
  return -1
}

function seconds(year: number, monthName: string, day: string, hour: string, minute: string, second: string): number {
  const month = monthOf(monthName)
  if (month < 0) return -1
  const date = Number(day)
  if (date < 1 || date > DAYS_IN_MONTH[month]!) return -1
  if (month === 1 && date === 29 && !isLeap(year)) return -1
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return -1
  // Date.UTC takes years below 100 for 19xx; no HTTP date means those.
  if (year < 100) return -1
  return Date.UTC(year, month, date, Number(hour), Number(minute), Number(second)) / 1000
}

/** As nginx reads it: by as many letters as it takes to tell the months apart. */
function monthOf(name: string): number {
  const at = MONTHS.indexOf(name)
  if (at >= 0 && at % 3 === 0) return at / 3
  switch (name.charAt(0)) {
    case 'J':
      return name.charAt(1) === 'a' ? 0 : name.charAt(2) === 'n' ? 5 : 6
    case 'M':
      return name.charAt(2) === 'r' ? 2 : 4
    case 'A':
      return name.charAt(1) === 'p' ? 3 : 7
    default:
      return ' F      SOND'.indexOf(name.charAt(0), 1)
  }
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}
