/** Cookies of a request (ngx_http_parse_cookie_lines). */
import { lowerAscii } from '../../lib/bytes.ts'
import { hashName } from './field-names.ts'
import type { HeaderTable } from './header-table.ts'

const COOKIE = hashName('cookie')

/** The value of one cookie; `name` is in lower case, and names are compared without regard to case, as in nginx. */
export function cookieValue(headers: HeaderTable, name: string): string | undefined {
  for (let i = headers.find(COOKIE, 'cookie'); i >= 0; i = headers.find(COOKIE, 'cookie', i + 1)) {
    for (const pair of headers.value(i).split(';')) {
      const equals = pair.indexOf('=')
      if (equals > 0 && lowerAscii(pair.slice(0, equals).trim()) === name) return pair.slice(equals + 1).trim()
    }
  }
  return undefined
}
