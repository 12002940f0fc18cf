/**
 * ngx_http_dav_module: PUT, DELETE, MKCOL, COPY and MOVE. What may take long (whole folders, other file systems) is done
 * in another thread. Different from nginx, a folder that could not be copied as a whole is no success, and its original
 * stays.
 */

import { accessMode } from '../../../config/access-mode.ts'
import { bits, flag, number } from '../../../config/args.ts'
import { directive } from '../../../config/directive.ts'
import { httpModule } from '../../../http/compile/module.ts'
import { LAST } from '../../../http/message/body.ts'
import { hashName } from '../../../http/message/field-names.ts'
import { COPY, DELETE, MKCOL, MOVE, methodBit, PUT } from '../../../http/message/method.ts'
import { escapeUri } from '../../../http/message/uri.ts'
import type { Request } from '../../../http/request/request.ts'
import { DONE, NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { filePath } from '../../../http/response/file-path.ts'
import { NO_BYTES } from '../../../lib/bytes.ts'
import { errnoText } from '../../../lib/errno.ts'
import { makeFolder, removeFile } from '../../../lib/file-changes.ts'
import { exactStatError, lstatPath, statPath } from '../../../lib/file-status.ts'
import { folderMode, removeTree } from '../../../lib/file-trees.ts'
import { parseHttpDate } from '../../../lib/http-date.ts'
import { ERROR } from '../../../log/error-log.ts'
import { type DavConf, davError, depthOf, endsWithSlash, hasBody, INFINITY, place, treeError } from './common.ts'
import { copyOrMove } from './copy-move.ts'

const HSL = ['http', 'server', 'location'] as const
const CONTENT_RANGE = hashName('content-range')
const DATE = hashName('date')

/** The module list's entry. */
export const davModule = httpModule({
  name: 'http_dav',
  doc: 'Changes files by WebDAV methods.',
  directives: {
    dav_methods: directive({
      in: HSL,
      args: bits('off', 'PUT', 'DELETE', 'MKCOL', 'COPY', 'MOVE'),
      default: 'off',
      doc: 'The methods that are allowed.',
    }),
    create_full_put_path: directive({
      in: HSL,
      args: flag,
      default: 'off',
      doc: 'PUT makes the folders that its file needs.',
    }),
    min_delete_depth: directive({
      in: HSL,
      args: number(),
      default: '0',
      doc: 'DELETE removes nothing whose path has fewer elements than this.',
    }),
    dav_access: directive({
      in: HSL,
      args: accessMode,
      default: 'user:rw',
      doc: 'Permissions of new files and folders: `user`, `group` and `all`, each with `r` or `rw`.',
    }),
  },
  attach(conf, plan) {
    let methods = 0
    for (const name of conf.dav_methods) if (name !== 'off') methods |= methodBit(name)
    if (methods === 0) return
    plan.content<DavConf>(serve, {
      methods,
      fullPath: conf.create_full_put_path,
      deleteDepth: conf.min_delete_depth,
      access: conf.dav_access,
    })
  },
})

function serve(r: Request, conf: DavConf): Verdict {
  if ((r.methodBit & conf.methods) === 0) return NEXT
  switch (r.methodBit) {
    case PUT:
      return put(r, conf)
    case DELETE:
      return remove(r, conf)
    case MKCOL:
      return makeCollection(r, conf)
    case COPY:
    case MOVE:
      return copyOrMove(r, conf)
    default:
      return NEXT
  }
}

function put(r: Request, conf: DavConf): Verdict {
  if (endsWithSlash(r.uri)) {
    r.logError(ERROR, 'cannot PUT to a collection')
    return 409
  }
  if (r.headers.find(CONTENT_RANGE, 'content-range') >= 0) {
    r.logError(ERROR, 'PUT with range is unsupported')
    return 501
  }
  return r.readBodyIntoFile((ready) => storeBody(ready, conf))
}

function storeBody(r: Request, conf: DavConf): Verdict {
  const file = r.requestBody?.file
  if (file === undefined) return 500
  const path = filePath(r)
  const there = statPath(path)
  if (typeof there !== 'string' && there.isDirectory()) {
    r.logError(ERROR, `"${path}" could not be created ${errnoText('EISDIR')}`)
    return 409
  }
  const date = r.headers.valueOf(DATE, 'date')
  const source = { path: file.path, mode: conf.access, time: date === undefined ? -1 : parseHttpDate(date) }
  const moved = place(r, source, path, conf.fullPath, conf.access)
  const created = typeof there === 'string'
  if (typeof moved === 'boolean') return stored(r, moved, created)
  return r.waitFor(moved, (done, outcome) => stored(done, treeError(done, outcome) === 0, created))
}

function stored(r: Request, moved: boolean, created: boolean): Verdict {
  if (!moved) return 500
  r.requestBody!.file!.leave()
  const { out } = r
  out.status = created ? 201 : 204
  if (created) {
    out.location = escapeUri(r.uri, 'uri')
    out.contentLength = 0
  }
  r.headerOnly = true
  r.sendHead()
  r.body.write(NO_BYTES, LAST)
  return DONE
}

function remove(r: Request, conf: DavConf): Verdict {
  if (hasBody(r)) {
    r.logError(ERROR, 'DELETE with body is unsupported')
    return 415
  }
  if (conf.deleteDepth > 0 && !isDeep(r, conf.deleteDepth)) return 409
  const path = filePath(r)
  const found = lstatPath(path)
  if (typeof found === 'string') {
    const error = found === 'ENOENT' ? exactStatError(path) : found
    return davError(r, { call: 'lstat()', path, error }, error === 'ENOTDIR' ? 409 : 404)
  }
  if (!found.isDirectory()) {
    const depth = depthOf(r, 0)
    if (depth !== 0 && depth !== INFINITY) {
      r.logError(ERROR, '"Depth" header must be 0 or infinity')
      return 400
    }
    const error = removeFile(path)
    return error === '' ? 204 : davError(r, { call: 'unlink()', path, error }, 404)
  }
  if (!endsWithSlash(r.uri)) {
    r.logError(ERROR, `DELETE "${path}" failed ${errnoText('EISDIR')}`)
    return 409
  }
  if (depthOf(r, INFINITY) !== INFINITY) {
    r.logError(ERROR, '"Depth" header must be infinity')
    return 400
  }
  return r.waitFor(removeTree(path.slice(0, -1)), (done, outcome) => treeError(done, outcome) || 204)
}

/** A path has as many elements as slashes before something. */
function isDeep(r: Request, least: number): boolean {
  let depth = 0
  for (let slash = r.uri.indexOf('/'); slash >= 0; slash = r.uri.indexOf('/', slash + 1)) {
    if (++depth >= least && slash + 1 < r.uri.length) return true
  }
  r.logError(ERROR, `insufficient URI depth:${depth} to DELETE`)
  return false
}

function makeCollection(r: Request, conf: DavConf): Verdict {
  if (hasBody(r)) {
    r.logError(ERROR, 'MKCOL with body is unsupported')
    return 415
  }
  if (!endsWithSlash(r.uri)) {
    r.logError(ERROR, 'MKCOL can create a collection only')
    return 409
  }
  const path = filePath(r).slice(0, -1)
  const error = makeFolder(path, folderMode(conf.access))
  if (error !== '') return davError(r, { call: 'mkdir()', path, error }, 409)
  r.out.location = escapeUri(r.uri, 'uri')
  return 201
}
