/** From a URI to a file name, by `root` or `alias` (ngx_http_map_uri_to_path). */

import { ALERT } from '../../log/error-log.ts'
import type { Request } from '../request/request.ts'
import { defineSlot } from '../request/slots.ts'

/** Set by `try_files` in a regular-expression location with `alias`: the URI is now what stands behind the alias. */
export const uriBehindAlias = defineSlot<boolean>()

/** The file that `uri` (the request's own unless given) means in the request's location. */
export function filePath(r: Request, uri = r.uri): string {
  const { location } = r
  const { aliasLength } = location
  const root = location.root(r)
  if (aliasLength < 0) return root.slice(0, rootLength(r, root, uri)) + uri
  if (!r.locationValid) {
    // No such file: nginx answers 500 here.
    r.logError(ALERT, `"alias" cannot be used in location "${location.name}" where URI was rewritten`)
    return ''
  }
  if (aliasLength === Number.POSITIVE_INFINITY) return r.get(uriBehindAlias) === true ? root + uri : root
  return root + uri.slice(aliasLength)
}

/** How much of a root stands before `name`: a slash at both is one. */
export function rootLength(r: Request, root: string, name: string): number {
  return r.location.aliasLength < 0 && root.endsWith('/') && name.startsWith('/') ? root.length - 1 : root.length
}
