/** The file that a location serves part by part: what comes before it is read is the same for all kinds. */
import { etagOf, type FileEntry } from '../files/file-entry.ts'
import { GET, HEAD } from '../message/method.ts'
import type { Request } from '../request/request.ts'
import { NEXT, type Verdict } from '../request/verdict.ts'
import { setContentType } from './content-type.ts'
import { filePath } from './file-path.ts'
import { fileFailure, openFile } from './open-file.ts'

const SLASH = 0x2f

/** Opens the file that `r` asks for, which its caller releases; or what to answer instead. */
export function openAsked(r: Request): FileEntry | Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  if (r.uri.charCodeAt(r.uri.length - 1) === SLASH) return NEXT
  const broken = r.discardBody()
  if (broken !== 0) return broken
  const entry = openFile(r, filePath(r))
  if (entry.error !== '') return fileFailure(r, entry)
  if (entry.isFile) return entry
  entry.release()
  return NEXT
}

/** Fills the head of a response made of `entry`, `length` bytes long: its tag is not that of the whole file. */
export function describeFile(r: Request, entry: FileEntry, length: number): void {
  const { out } = r
  out.status = 200
  out.contentLength = length
  out.lastModified = entry.mtime
  if (r.location.core.etag) out.etag = etagOf(entry.mtime, length)
  setContentType(r)
  out.allowRanges = true
}
