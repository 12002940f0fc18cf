/** URIs that come from the content of a response and not from a client (ngx_http_parse_unsafe_uri). */
import { type UriParts, unescapeUri } from './uri.ts'

const PARENT_FOLDER = /(?:^|\/)\.\.(?:\/|$)/

/** Splits and decodes `text` into `parts`; false when it could lead out of where it belongs: `parts.uri` then tells. */
export function parseUnsafeUri(text: string, parts: UriParts): boolean {
  const question = text.indexOf('?')
  const path = question < 0 ? text : text.slice(0, question)
  parts.uri = text
  if (path === '' || isUnsafe(path)) return false
  parts.args = question < 0 ? '' : text.slice(question + 1)
  parts.uri = path.includes('%') ? unescapeUri(path) : path
  return !isUnsafe(parts.uri)
}

function isUnsafe(path: string): boolean {
  return path.includes('\0') || (path.includes('..') && PARENT_FOLDER.test(path))
}
