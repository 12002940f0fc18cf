/** What the methods of WebDAV have in common: fields of the request, failures and their statuses, moving a file. */
import { threadId } from 'node:worker_threads'
import { hashName } from '../../../http/message/field-names.ts'
import type { Request } from '../../../http/request/request.ts'
import { errnoText } from '../../../lib/errno.ts'
import { changeMode, makeFoldersAbove, type Refusal, renamePath, setTime } from '../../../lib/file-changes.ts'
import { folderMode, moveAcross, type TreeOutcome } from '../../../lib/file-trees.ts'
import { CRIT, ERROR } from '../../../log/error-log.ts'

/** The settings of a location. */
export interface DavConf {
  /** Methods as bits. */
  readonly methods: number
  readonly fullPath: boolean
  readonly deleteDepth: number
  readonly access: number
}

const DEPTH = hashName('depth')
const SLASH = 0x2f
/** `Depth: infinity`. */
export const INFINITY = -1
const INVALID = -2

/** Tells whether a URI or path names a collection. */
export function endsWithSlash(text: string): boolean {
  return text.charCodeAt(text.length - 1) === SLASH
}

/** Tells whether a request has a body that its method has no use for. */
export function hasBody(r: Request): boolean {
  return r.contentLength > 0 || r.chunked
}

/** The request's Depth: 0, 1, INFINITY, or something else that is not valid. */
export function depthOf(r: Request, absent: number): number {
  const depth = r.headers.valueOf(DEPTH, 'depth')
  if (depth === undefined) return absent
  if (depth === '0' || depth === '1') return Number(depth)
  if (depth === 'infinity') return INFINITY
  r.logError(ERROR, `client sent invalid "Depth" header: "${depth}"`)
  return INVALID
}

/** Logs what the system refused and gives the status that tells it (ngx_http_dav_error). */
export function davError(r: Request, { call, path, error }: Refusal, notFound: number): number {
  const status = statusOf(error, notFound)
  const level = status === 500 || status === 507 ? CRIT : ERROR
  r.logError(level, `${call} "${path}" failed ${errnoText(error)}`)
  return status
}

function statusOf(error: string, notFound: number): number {
  switch (error) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      return notFound
    case 'EACCES':
    case 'EPERM':
      return 403
    case 'EEXIST':
      return 405
    case 'ENOSPC':
      return 507
    default:
      return 500
  }
}

/** Logs all that was refused and gives the status of the last; 0 when nothing was. */
export function treeError(r: Request, { refusals }: TreeOutcome, notFound = 404): number {
  let status = 0
  for (const refusal of refusals) status = davError(r, refusal, notFound)
  return status
}

/** The same where nginx tells apart only a disk that is full. */
export function copyError(r: Request, outcome: TreeOutcome): number {
  const status = treeError(r, outcome, 500)
  return status === 0 || status === 507 ? status : 500
}

/** A file that is to get another name. `mode` 0 and `time` -1: as they are. */
export interface Source {
  readonly path: string
  readonly mode: number
  readonly time: number
}

/**
 * Gives a file its place, also on another file system (ngx_ext_rename_file). Answers whether it worked, what was refused
 * being logged; or a promise, whose outcome is the caller's to log.
 */
export function place(
  r: Request,
  source: Source,
  to: string,
  makesFolders: boolean,
  access: number,
): boolean | Promise<TreeOutcome> {
  const from = source.path
  if (source.mode !== 0 && !works(r, 'chmod()', from, changeMode(from, source.mode))) return false
  if (source.time >= 0 && !works(r, 'utimes()', from, setTime(from, source.time))) return false
  let refused = renamePath(from, to)
  if (refused === 'ENOENT' && makesFolders) {
    if (!works(r, 'mkdir()', to, makeFoldersAbove(to, folderMode(access)))) return false
    refused = renamePath(from, to)
  }
  if (refused === 'EXDEV') return moveAcross(from, to, `${to}.${nextNumber()}`)
  if (refused === '') return true
  r.logError(CRIT, `rename() "${from}" to "${to}" failed ${errnoText(refused)}`)
  return false
}

function works(r: Request, call: string, path: string, error: string): boolean {
  if (error === '') return true
  r.logError(CRIT, `${call} "${path}" failed ${errnoText(error)}`)
  return false
}

let serial = Math.floor(Math.random() * 1e6)

/** A number that no other file beside a target has. */
function nextNumber(): string {
  return String((++serial * 64 + (threadId % 64)) % 1e10).padStart(10, '0')
}
