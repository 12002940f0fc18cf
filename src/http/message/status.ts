/** Status codes with the reason phrases that nginx sends; a code without one is sent as `NNN ` alone. */

const REASONS: readonly (readonly [number, string])[] = [
  [100, 'Continue'],
  [101, 'Switching Protocols'],
  [103, 'Early Hints'],
  [200, 'OK'],
  [201, 'Created'],
  [202, 'Accepted'],
  [204, 'No Content'],
  [206, 'Partial Content'],
  [301, 'Moved Permanently'],
  [302, 'Moved Temporarily'],
  [303, 'See Other'],
  [304, 'Not Modified'],
  [307, 'Temporary Redirect'],
  [308, 'Permanent Redirect'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [402, 'Payment Required'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Not Allowed'],
  [406, 'Not Acceptable'],
  [407, 'Proxy Authentication Required'],
  [408, 'Request Time-out'],
  [409, 'Conflict'],
  [410, 'Gone'],
  [411, 'Length Required'],
  [412, 'Precondition Failed'],
  [413, 'Request Entity Too Large'],
  [414, 'Request-URI Too Large'],
  [415, 'Unsupported Media Type'],
  [416, 'Requested Range Not Satisfiable'],
  [421, 'Misdirected Request'],
  [429, 'Too Many Requests'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Temporarily Unavailable'],
  [504, 'Gateway Time-out'],
  [505, 'HTTP Version Not Supported'],
  [507, 'Insufficient Storage'],
]

const LINES: string[] = []
for (let code = 0; code < 1000; code++) LINES.push(`${String(code).padStart(3, '0')} `)
for (const [code, reason] of REASONS) LINES[code] = `${code} ${reason}`

/** Code and reason as they stand in a status line: `404 Not Found`. */
export function statusText(code: number): string {
  return LINES[code] ?? `${code} `
}

/** What error pages say about a status: title, heading and an explanation that only nginx's own codes have. */
interface StatusPage {
  readonly title: string
  readonly heading: string
  readonly detail: string
}

const OWN_PAGES = new Map<number, StatusPage>([
  [494, own('400 Request Header Or Cookie Too Large', 'Request Header Or Cookie Too Large')],
  [495, own('400 The SSL certificate error', 'The SSL certificate error')],
  [496, own('400 No required SSL certificate was sent', 'No required SSL certificate was sent')],
  [497, own('400 The plain HTTP request was sent to HTTPS port', 'The plain HTTP request was sent to HTTPS port')],
])

function own(title: string, detail: string): StatusPage {
  return { title, heading: '400 Bad Request', detail }
}

/** Titles that differ from the status line. */
const TITLES = new Map<number, string>([
  [302, '302 Found'],
  [401, '401 Authorization Required'],
  [498, '404 Not Found'],
  [503, '503 Service Temporarily Unavailable'],
])

/** The page that stands for a status, or undefined for those that have no body. */
export function statusPage(code: number): StatusPage | undefined {
  const special = OWN_PAGES.get(code)
  if (special !== undefined) return special
  if (code === 304 || code < 301) return undefined
  const title = TITLES.get(code) ?? LINES[code]
  if (title === undefined || title.endsWith(' ')) return undefined
  return { title, heading: title, detail: '' }
}
