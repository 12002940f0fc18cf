/** COPY and MOVE: what the request's fields say about where to, and the work itself. */

import { hashName } from '../../../http/message/field-names.ts'
import { COPY, MOVE } from '../../../http/message/method.ts'
import { parseUnsafeUri } from '../../../http/message/unsafe-uri.ts'
import type { UriParts } from '../../../http/message/uri.ts'
import type { Request } from '../../../http/request/request.ts'
import type { Verdict } from '../../../http/request/verdict.ts'
import { filePath } from '../../../http/response/file-path.ts'
import { errnoText } from '../../../lib/errno.ts'
import { makeFolder, removeFile, renamePath } from '../../../lib/file-changes.ts'
import { exactStatError, lstatPath } from '../../../lib/file-status.ts'
import { copyOver, copyTree, removeTree } from '../../../lib/file-trees.ts'
import { ERROR } from '../../../log/error-log.ts'
import {
  copyError,
  type DavConf,
  davError,
  depthOf,
  endsWithSlash,
  hasBody,
  INFINITY,
  place,
  treeError,
} from './common.ts'

const DESTINATION = hashName('destination')
const OVERWRITE = hashName('overwrite')
const SLASHES = /\/\/+/g

/** Answers one of the two methods. */
export function copyOrMove(r: Request, conf: DavConf): Verdict {
  if (hasBody(r)) {
    r.logError(ERROR, 'COPY and MOVE with body are unsupported')
    return 415
  }
  const destination = r.headers.valueOf(DESTINATION, 'destination')
  if (destination === undefined) {
    r.logError(ERROR, 'client sent no "Destination" header')
    return 400
  }
  const uri = destinationUri(r, destination)
  if (uri === undefined) return 400
  if (endsWithSlash(r.uri) !== endsWithSlash(destination)) {
    const both = `both URI "${r.uri}" and "Destination" URI "${destination}"`
    r.logError(ERROR, `${both} should be either collections or non-collections`)
    return 409
  }
  const { aliasLength } = r.location
  if (aliasLength !== Number.POSITIVE_INFINITY && uri.length < aliasLength) return invalid(r, destination)
  const overwrite = overwrites(r)
  if (!hasDepth(r) || overwrite === undefined) return 400
  const from = filePath(r).replace(SLASHES, '/')
  const to = filePath(r, uri).replace(SLASHES, '/')
  return validate(r, from, to, destination) || work(r, conf, from, to, destination, overwrite)
}

/** The path on this server that Destination means; undefined when there is none, which is logged. */
function destinationUri(r: Request, destination: string): string | undefined {
  let path = destination
  if (!destination.startsWith('/')) {
    if (r.host === '') {
      r.logError(ERROR, 'client sent no "Host" header')
      return undefined
    }
    const start = `${r.scheme}://`
    if (!destination.startsWith(start)) return refuse(r, destination)
    const behind = destination.slice(start.length)
    const port = behind.charAt(r.host.length)
    if (!behind.toLowerCase().startsWith(r.host) || (port !== ':' && port !== '/' && port !== '')) {
      const text = `"Destination" URI "${destination}" is handled by different repository than the source URI`
      r.logError(ERROR, text)
      return undefined
    }
    const slash = behind.indexOf('/', r.host.length)
    if (slash < 0) return refuse(r, destination)
    path = behind.slice(slash)
  }
  const parts: UriParts = { uri: '', args: '' }
  if (parseUnsafeUri(path, parts)) return parts.uri
  r.logError(ERROR, `unsafe URI "${parts.uri}" was detected`)
  return refuse(r, destination)
}

function refuse(r: Request, destination: string): undefined {
  invalid(r, destination)
}

function invalid(r: Request, destination: string): number {
  r.logError(ERROR, `client sent invalid "Destination" header: "${destination}"`)
  return 400
}

function hasDepth(r: Request): boolean {
  const depth = depthOf(r, INFINITY)
  if (depth === INFINITY || (depth === 0 && r.methodBit === COPY)) return true
  r.logError(ERROR, `"Depth" header must be ${r.methodBit === COPY ? '0 or infinity' : 'infinity'}`)
  return false
}

function overwrites(r: Request): boolean | undefined {
  const value = r.headers.valueOf(OVERWRITE, 'overwrite')
  if (value === undefined || value === 'T' || value === 't') return true
  if (value === 'F' || value === 'f') return false
  r.logError(ERROR, `client sent invalid "Overwrite" header: "${value}"`)
  return undefined
}

/** Refuses to put something on or into itself (ngx_http_dav_validate_paths); 0 when it is elsewhere. */
function validate(r: Request, from: string, to: string, destination: string): Verdict {
  const source = withoutSlash(from)
  const target = withoutSlash(to)
  if (source === target) {
    const both = `both URI "${r.uri}" and "Destination" URI "${destination}"`
    r.logError(ERROR, `${both} point to the same location`)
    return 403
  }
  const inside = target.startsWith(`${source}/`) || source.startsWith(`${target}/`)
  if (!inside || !endsWithSlash(to)) return 0
  r.logError(ERROR, `"${r.uri}" could not be ${r.method}ed to collection "${destination}"`)
  return 403
}

function withoutSlash(path: string): string {
  return endsWithSlash(path) ? path.slice(0, -1) : path
}

function work(r: Request, conf: DavConf, from: string, to: string, destination: string, overwrite: boolean): Verdict {
  const target = withoutSlash(to)
  const there = lookAt(target)
  if (typeof there === 'string') {
    if (there !== 'ENOENT') return davError(r, { call: 'lstat()', path: target, error: there }, 404)
  } else if (there.isDirectory() && !endsWithSlash(to)) {
    r.logError(ERROR, `"${r.uri}" could not be ${r.method}ed to collection "${destination}"`)
    return 409
  } else if (!overwrite) {
    r.logError(ERROR, `"${target}" could not be created ${errnoText('EEXIST')}`)
    return 412
  }
  const source = lookAt(from)
  if (typeof source === 'string') return davError(r, { call: 'lstat()', path: from, error: source }, 404)
  if (!source.isDirectory()) return workOnFile(r, conf, from, target)
  if (!endsWithSlash(r.uri)) {
    r.logError(ERROR, `"${r.uri}" is collection`)
    return 400
  }
  const mode = source.mode & 0o777
  if (typeof there === 'string') return workOnFolder(r, from, target, mode)
  if (there.isDirectory()) {
    return r.waitFor(removeTree(target), (done, outcome) => {
      return treeError(done, outcome) || workOnFolder(done, from, target, mode)
    })
  }
  const error = removeFile(target)
  if (error !== '') return davError(r, { call: 'unlink()', path: target, error }, 404)
  return workOnFolder(r, from, target, mode)
}

function lookAt(path: string): ReturnType<typeof lstatPath> {
  const found = lstatPath(path)
  return found === 'ENOENT' ? exactStatError(path) : found
}

function workOnFile(r: Request, conf: DavConf, from: string, to: string): Verdict {
  if (r.methodBit === COPY) {
    return r.waitFor(copyOver(from, to), (done, outcome) => copyError(done, outcome) || 204)
  }
  const moved = place(r, { path: from, mode: 0, time: -1 }, to, true, conf.access)
  if (typeof moved === 'boolean') return moved ? 204 : 500
  return r.waitFor(moved, (done, outcome) => copyError(done, outcome) || 204)
}

function workOnFolder(r: Request, fromWithSlash: string, to: string, mode: number): Verdict {
  const from = withoutSlash(fromWithSlash)
  if (r.methodBit === MOVE && renamePath(from, to) === '') return 201
  const error = makeFolder(to, mode)
  if (error !== '') return davError(r, { call: 'mkdir()', path: to, error }, 404)
  return r.waitFor(copyTree(from, to), (done, outcome) => {
    const status = copyError(done, outcome)
    if (status !== 0) return status
    if (done.methodBit === COPY) return 201
    return done.waitFor(removeTree(from), (last, removed) => treeError(last, removed) || 201)
  })
}
