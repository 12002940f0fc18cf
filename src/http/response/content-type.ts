/** The media type of what a URI names (ngx_http_set_content_type). */

import { uriExtension } from '../message/uri.ts'
import type { Request } from '../request/request.ts'

/** Sets the response's type from the extension of `r.uri` by the `types` of the location, else to its `default_type`. */
export function setContentType(r: Request): void {
  const { location } = r
  const extension = uriExtension(r.uri)
  const known = extension === '' ? undefined : location.types.get(extension.toLowerCase())
  r.out.contentType = known ?? location.defaultType(r)
}
