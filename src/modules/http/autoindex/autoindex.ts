/** ngx_http_autoindex_module: lists folders, as a page or for programs. */

import { flag, oneOf } from '../../../config/args.ts'
import { type ConfOf, directive } from '../../../config/directive.ts'
import { httpModule } from '../../../http/compile/module.ts'
import { LAST, STABLE } from '../../../http/message/body.ts'
import { GET, HEAD } from '../../../http/message/method.ts'
import type { Request } from '../../../http/request/request.ts'
import { DONE, NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { folderEntries, folderFailure, folderPath } from '../../../http/response/list-folder.ts'
import { NO_BYTES } from '../../../lib/bytes.ts'
import { type FolderEntry, readFolder } from '../../../lib/folder.ts'
import { INFO } from '../../../log/error-log.ts'
import { listingHtml, listingJson, listingXml } from './formats.ts'

const HSL = ['http', 'server', 'location'] as const
const SLASH = 0x2f
const CALLBACK_LENGTH_MAX = 128

const own = {
  autoindex: directive({ in: HSL, args: flag, default: 'off', doc: 'Lists folders that have no index file.' }),
  autoindex_format: directive({
    in: HSL,
    args: oneOf('html', 'json', 'jsonp', 'xml'),
    default: 'html',
    doc: 'The form of a listing; `jsonp` calls the function that the argument `callback` names.',
  }),
  autoindex_localtime: directive({ in: HSL, args: flag, default: 'off', doc: 'Shows local time and not UTC in HTML.' }),
  autoindex_exact_size: directive({ in: HSL, args: flag, default: 'on', doc: 'Shows sizes in bytes in HTML.' }),
}
type Conf = ConfOf<typeof own>

/** The module list's entry. */
export const autoindexModule = httpModule({
  name: 'http_autoindex',
  doc: 'Lists folders.',
  directives: own,
  attach(conf, plan) {
    if (conf.autoindex) plan.content(list, conf)
  },
})

function list(r: Request, conf: Conf): Verdict {
  if (r.uri.charCodeAt(r.uri.length - 1) !== SLASH || (r.methodBit & (GET | HEAD)) === 0) return NEXT
  const broken = r.discardBody()
  if (broken !== 0) return broken
  const folder = folderPath(r)
  const callback = conf.autoindex_format === 'jsonp' ? callbackName(r) : ''
  if (callback === undefined) return 400
  const names = readFolder(folder)
  if (typeof names === 'string') return folderFailure(r, folder, names)
  setType(r, conf.autoindex_format, callback)
  r.sendHead()
  if (r.headerOnly || r.refusal !== 0) {
    r.body.write(NO_BYTES, LAST)
    return DONE
  }
  const entries = folderEntries(r, folder, names)
  if (entries === undefined) {
    r.breakOff()
    return DONE
  }
  r.body.write(Buffer.from(render(r, conf, entries.sort(byKindAndName), callback), 'latin1'), LAST | STABLE)
  return DONE
}

function setType(r: Request, format: Conf['autoindex_format'], callback: string): void {
  const { out } = r
  out.status = 200
  if (format === 'html') out.contentType = 'text/html'
  else if (format === 'xml') {
    out.contentType = 'text/xml'
    out.charset = 'utf-8'
  } else out.contentType = callback === '' ? 'application/json' : 'application/javascript'
}

/** Folders first, then by name. */
function byKindAndName(a: FolderEntry, b: FolderEntry): number {
  if ((a.kind === 'folder') !== (b.kind === 'folder')) return a.kind === 'folder' ? -1 : 1
  return a.name < b.name ? -1 : 1
}

function render(r: Request, conf: Conf, entries: readonly FolderEntry[], callback: string): string {
  switch (conf.autoindex_format) {
    case 'html':
      return listingHtml(r.uri, entries, {
        utf8: r.out.charset.toLowerCase() === 'utf-8',
        localtime: conf.autoindex_localtime,
        exactSize: conf.autoindex_exact_size,
      })
    case 'xml':
      return listingXml(entries)
    default:
      return listingJson(entries, callback)
  }
}

/** The argument `callback`, empty when there is none, undefined when it is no name of a function. */
function callbackName(r: Request): string | undefined {
  const name = /(?:^|&)callback=([^&]*)/i.exec(r.args)?.[1] ?? ''
  if (name.length > CALLBACK_LENGTH_MAX) {
    r.logError(INFO, `client sent too long callback name: "${name}"`)
    return undefined
  }
  if (/^[a-zA-Z0-9_.]*$/.test(name)) return name
  r.logError(INFO, `client sent invalid callback name: "${name}"`)
  return undefined
}
