/** The media type of what a URI names (ngx_http_set_content_type). */

import { uriExtension } from '../message/uri.ts'
import type { Request } from '../request/request.ts'

/**
 * Sets the response's type from the extension of `r.uri` by the `types` of the location, else to its `default_type`. One
 * that is there stays: a back end that answered by X-Accel-Redirect has said it.
 */
export function setContentType(r: Request): void {
  if (r.out.contentType !== '') return
  const { location } = r
  const extension = uriExtension(r.uri)
  const known = extension === '' ? undefined : location.types.get(extension.toLowerCase())
  r.out.contentType = known ?? location.defaultType
}
