/**
 * URIs that come from somebody else than the client: the content of a response, or a variable in the configuration
 * (ngx_http_parse_unsafe_uri). They are not normalized: one that could lead out of where it belongs is refused.
 */
import type { Template } from '../../value/template.ts'
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

/** Tells whether a path has a `..` among its segments, or a NUL byte. */
export function isUnsafe(path: string): boolean {
  return path.includes('\0') || (path.includes('..') && PARENT_FOLDER.test(path))
}

/**
 * Tells whether the values of a template's variables must be looked at with `isUnsafe` before it is taken for a URI. What the
 * configuration itself says may lead anywhere.
 */
export function mayBeUnsafe({ constant, parts }: Template): boolean {
  return constant === undefined && !parts.some((part) => typeof part === 'string' && part.includes('..'))
}
