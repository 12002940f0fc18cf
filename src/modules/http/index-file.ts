/** ngx_http_index_module: the file that stands for a folder. */
import { type Args, directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { GET, HEAD, POST } from '../../http/message/method.ts'
import { isUnsafe, mayBeUnsafe } from '../../http/message/unsafe-uri.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { filePath } from '../../http/response/file-path.ts'
import { failureText, testFile } from '../../http/response/open-file.ts'
import { errnoText } from '../../lib/errno.ts'
import { exactStatError } from '../../lib/file-status.ts'
import { CRIT, ERROR } from '../../log/error-log.ts'
import { literal, readTemplate, type Template } from '../../value/template.ts'

const SLASH = 0x2f

const names: Args<readonly Template[]> = {
  syntax: 'file ...',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read(list, at) {
    list.forEach((w, i) => {
      if (w.text === '') at.fail(`index "${w.text}" in "index" directive is invalid`, w)
      if (w.text.startsWith('/') && i < list.length - 1) {
        at.warn('only the last index in "index" directive should be absolute', w)
      }
    })
    return list.map((w) => readTemplate(w, at))
  },
}

/** The module list's entry. */
export const indexModule = httpModule({
  name: 'http_index',
  doc: 'Answers requests for folders with one of their files.',
  directives: {
    index: directives({
      in: ['http', 'server', 'location'],
      args: names,
      doc: 'The files that are looked for when a folder is asked for, in this order; an absolute one is a redirect inside the server.',
    }),
  },
  attach(conf, plan, at) {
    const list = conf.index.length === 0 ? [literal('index.html')] : conf.index.flat()
    plan.content(
      findIndex,
      list.map((name) => ({ text: at.text(name), guarded: mayBeUnsafe(name) })),
    )
  },
})

interface IndexName {
  readonly text: Text
  /** A variable could lead out of the folder: see `mayBeUnsafe`. */
  readonly guarded: boolean
}

function findIndex(r: Request, names: readonly IndexName[]): Verdict {
  if (r.uri.charCodeAt(r.uri.length - 1) !== SLASH || (r.methodBit & (GET | HEAD | POST)) === 0) return NEXT
  let folder = ''
  for (let i = 0; i < names.length; i++) {
    const { text, guarded } = names[i]!
    const name = text(r)
    if (guarded && isUnsafe(name)) {
      r.logError(ERROR, `unsafe URI "${name}" was detected`)
      continue
    }
    if (name.charCodeAt(0) === SLASH) return r.redirectTo(name, r.args)
    const base = filePath(r)
    const entry = testFile(r, base + name)
    if (entry.error === '') return r.redirectTo(r.uri + name, r.args)
    if (entry.error === 'ELOOP' || entry.error === 'EMLINK') return 403
    if (entry.error === 'EACCES' || entry.error === 'ENOTDIR' || entry.error === 'ENAMETOOLONG') {
      return indexError(r, entry.path, entry.error)
    }
    if (folder === '') {
      // "alias" may come without a slash at its end.
      folder = base.length > 1 && base.endsWith('/') ? base.slice(0, -1) : base
      const verdict = testFolder(r, folder, entry.path)
      if (verdict !== NEXT) return verdict
    }
    if (entry.error === 'ENOENT') continue
    r.logError(CRIT, failureText(entry))
    return 500
  }
  return NEXT
}

/** Tells a missing index from a missing folder. */
function testFolder(r: Request, path: string, file: string): Verdict {
  const folder = testFile(r, path)
  if (folder.error === '') return folder.isFolder ? NEXT : indexError(r, file, 'ENOTDIR')
  if (folder.error === 'ELOOP' || folder.error === 'EMLINK') return 403
  if (folder.error === 'ENOENT') {
    return indexError(r, file, exactStatError(file) === 'ENOTDIR' ? 'ENOTDIR' : 'ENOENT')
  }
  if (folder.error === 'EACCES') return NEXT
  r.logError(CRIT, failureText(folder))
  return 500
}

function indexError(r: Request, path: string, error: string): Verdict {
  if (error === 'EACCES') {
    r.logError(ERROR, `"${path}" is forbidden ${errnoText(error)}`)
    return 403
  }
  if (r.location.core.log_not_found) r.logError(ERROR, `"${path}" is not found ${errnoText(error)}`)
  return 404
}
