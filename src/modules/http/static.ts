/** ngx_http_static_module: answers GET and HEAD with files; sends who asks for a folder without its slash to the folder. */

import { httpModule } from '../../http/compile/module.ts'
import type { FileEntry } from '../../http/files/file-entry.ts'
import { GET, HEAD, POST } from '../../http/message/method.ts'
import { escapeUri, uriExtension } from '../../http/message/uri.ts'
import type { Request } from '../../http/request/request.ts'
import { DONE, NEXT, type Verdict } from '../../http/request/verdict.ts'
import { filePath } from '../../http/response/file-path.ts'
import { fileFailure, openFile } from '../../http/response/open-file.ts'
import { sendFile } from '../../http/response/send-file.ts'
import { CRIT } from '../../log/error-log.ts'

const SLASH = 0x2f

/** The module list's entry. */
export const staticModule = httpModule({
  name: 'http_static',
  doc: 'Serves files.',
  directives: {},
  attach(_conf, plan) {
    plan.content(serve, undefined)
  },
})

function serve(r: Request): Verdict {
  if ((r.methodBit & (GET | HEAD | POST)) === 0) return 405
  if (r.uri.charCodeAt(r.uri.length - 1) === SLASH) return NEXT
  const entry = openFile(r, filePath(r))
  if (entry.error !== '') return fileFailure(r, entry)
  if (!entry.isFile || r.methodBit === POST) {
    entry.release()
    return refuse(r, entry)
  }
  const broken = r.discardBody()
  if (broken !== 0) {
    entry.release()
    return broken
  }
  const { out, location } = r
  out.status = 200
  out.contentLength = entry.size
  out.lastModified = entry.mtime
  if (location.core.etag) out.etag = entry.etag
  if (entry.typeSource !== location) setType(r, entry)
  // A back end that redirected here may have said the type.
  if (out.contentType === '') out.contentType = entry.type
  out.allowRanges = true
  sendFile(r, entry)
  return DONE
}

function refuse(r: Request, entry: FileEntry): Verdict {
  if (entry.isFolder) {
    const path = escapeUri(r.uri, 'uri') + '/'
    r.out.location = r.args === '' ? path : path + '?' + r.args
    return 301
  }
  if (entry.isFile) return 405
  r.logError(CRIT, `"${entry.path}" is not a regular file`)
  return 404
}

/** The type is remembered with the file where its path tells the URI's extension. */
function setType(r: Request, entry: FileEntry): void {
  const { location } = r
  const known = location.types.get(uriExtension(r.uri).toLowerCase())
  entry.type = known ?? location.defaultType
  entry.typeSource = location.aliasLength === Number.POSITIVE_INFINITY ? undefined : location
}
