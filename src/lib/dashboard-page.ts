/**
 * The dashboard's page, which `npm run build:dashboard` makes of the folder `dashboard/`: one file with its script and its style
 * inside. It is told where the API is, and browsers are told to run and to contact nothing else.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The same file from `src/lib/` and from where the built program lies. */
const FILE = fileURLToPath(new URL('../../dist/dashboard.html', import.meta.url))
const API_MARK = '<meta name="api" content="/api/">'

/** A page as it is sent. */
export interface DashboardPage {
  readonly bytes: Buffer
  /** The value of `Content-Security-Policy`. */
  readonly policy: string
  readonly etag: string
}

/** Reads the page and tells it the path of the API; undefined when nobody has built it, as in a clone that was not set up. */
export function readDashboardPage(apiPath: string): DashboardPage | undefined {
  if (!fs.existsSync(FILE)) return undefined
  const text = fs.readFileSync(FILE, 'utf8')
  const told = text.replace(API_MARK, () => API_MARK.replace('/api/', escapeAttribute(apiPath)))
  const bytes = Buffer.from(told, 'utf8')
  return { bytes, policy: policyOf(text), etag: `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"` }
}

/** Where the page is expected, for messages. */
export const dashboardFile: string = FILE

/** Hashes instead of a nonce: the page is the same for everybody, and can be kept by browsers. */
function policyOf(text: string): string {
  const hashes = (tag: string): string =>
    [...text.matchAll(new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`, 'g'))]
      .map(([, inside]) => `'sha256-${createHash('sha256').update(inside!).digest('base64')}'`)
      .join(' ')
  return (
    `default-src 'none'; script-src ${hashes('script')}; style-src ${hashes('style')}; connect-src 'self'; img-src data:; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  )
}

function escapeAttribute(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
