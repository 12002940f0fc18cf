/** ngx_http_random_index_module: a folder is answered with one of its files, chosen by chance. */
import { flag } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { GET, HEAD, POST } from '../../http/message/method.ts'
import type { Request } from '../../http/request/request.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { folderFailure, folderPath } from '../../http/response/list-folder.ts'
import { folderEntry, readFolder } from '../../lib/folder.ts'

const SLASH = 0x2f

/** The module list's entry. */
export const randomIndexModule = httpModule({
  name: 'http_random_index',
  doc: 'Answers requests for folders with any of their files.',
  directives: {
    random_index: directive({
      in: ['location'],
      args: flag,
      default: 'off',
      doc: 'Chooses a file of the folder by chance; names that begin with a dot are left out.',
    }),
  },
  attach(conf, plan) {
    if (conf.random_index) plan.content(choose, undefined)
  },
})

function choose(r: Request): Verdict {
  if (r.uri.charCodeAt(r.uri.length - 1) !== SLASH || (r.methodBit & (GET | HEAD | POST)) === 0) return NEXT
  const folder = folderPath(r)
  const names = readFolder(folder)
  if (typeof names === 'string') return folderFailure(r, folder, names)
  const files = names.filter((name) => {
    const entry = folderEntry(folder, name)
    return typeof entry !== 'string' && entry.kind === 'file'
  })
  if (files.length === 0) return NEXT
  return r.redirectTo(r.uri + files[Math.floor(Math.random() * files.length)]!, r.args)
}
