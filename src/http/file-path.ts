/** From a URI to a file name, by `root` or `alias` (ngx_http_map_uri_to_path). */
import type { Request } from './request.ts'

/** The file that `uri` (the request's own unless given) means in the request's location. */
export function filePath(r: Request, uri = r.uri): string {
  const { location } = r
  const { aliasLength } = location
  const root = location.root(r)
  if (aliasLength < 0) return root.endsWith('/') && uri.startsWith('/') ? root.slice(0, -1) + uri : root + uri
  if (aliasLength === Number.POSITIVE_INFINITY) return root
  return root + uri.slice(aliasLength)
}
