/** ngx_http_gzip_static_module: sends the file with `.gz` behind its name in place of the file. */
import { oneOf } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { GET, HEAD } from '../../http/message/method.ts'
import type { Request } from '../../http/request/request.ts'
import { DONE, NEXT, type Verdict } from '../../http/request/verdict.ts'
import { setContentType } from '../../http/response/content-type.ts'
import { filePath } from '../../http/response/file-path.ts'
import { acceptsGzip, type GzipClientRules, gzipClientRules, noteVary } from '../../http/response/gzip-client.ts'
import { failureText, isMissing, openFile } from '../../http/response/open-file.ts'
import { sendFile } from '../../http/response/send-file.ts'
import { CRIT, ERROR } from '../../log/error-log.ts'

const SLASH = 0x2f

interface GzipStaticConf {
  readonly always: boolean
  readonly rules: GzipClientRules
}

/** The module list's entry. */
export const gzipStaticModule = httpModule({
  name: 'http_gzip_static',
  doc: 'Serves files that are stored compressed.',
  directives: {
    gzip_static: directive({
      in: ['http', 'server', 'location'],
      args: oneOf('off', 'on', 'always'),
      default: 'off',
      doc: 'Looks for a file with `.gz` behind its name: for clients that take gzip (`on`), or for all (`always`).',
    }),
  },
  attach(conf, plan, at) {
    if (conf.gzip_static === 'off') return
    plan.content(serveCompressed, { always: conf.gzip_static === 'always', rules: gzipClientRules(at.scope) })
  },
})

function serveCompressed(r: Request, { always, rules }: GzipStaticConf): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0 || r.uri.charCodeAt(r.uri.length - 1) === SLASH) return NEXT
  const accepted = always || acceptsGzip(r, rules)
  if (!accepted && !rules.vary) return NEXT
  const entry = openFile(r, filePath(r) + '.gz')
  if (entry.error !== '') {
    if (!isMissing(entry)) {
      const refused = entry.error === 'EACCES' || entry.error === 'EMLINK' || entry.error === 'ELOOP'
      r.logError(refused ? ERROR : CRIT, failureText(entry))
    }
    return NEXT
  }
  if (!always) noteVary(r, rules)
  if (!accepted || !entry.isFile) {
    entry.release()
    if (!accepted || entry.isFolder) return NEXT
    r.logError(CRIT, `"${entry.path}" is not a regular file`)
    return 404
  }
  const broken = r.discardBody()
  if (broken !== 0) {
    entry.release()
    return broken
  }
  const { out } = r
  out.status = 200
  out.contentLength = entry.size
  out.lastModified = entry.mtime
  if (r.location.core.etag) out.etag = entry.etag
  setContentType(r)
  out.contentEncoding = 'gzip'
  out.allowRanges = true
  sendFile(r, entry)
  return DONE
}
