/**
 * Sends a file as the response body: from memory in one piece, or from its descriptor piece by piece as fast as the
 * client takes it. Header filters may choose parts of it (`out.parts`) or another form (`out.replacement`).
 */

import { NO_BYTES } from '../../lib/bytes.ts'
import { errnoText } from '../../lib/errno.ts'
import { readOpen } from '../../lib/file-status.ts'
import { ALERT, CRIT } from '../../log/error-log.ts'
import type { FilePiece } from '../../net/wire.ts'
import type { FileEntry } from '../files/file-entry.ts'
import { LAST, LENT, type Producer, STABLE } from '../message/body.ts'
import type { BodyPart } from '../message/response-head.ts'
import type { Request } from '../request/request.ts'
import { giveBack, giveBackLater, LENT_SIZE, lend } from './lent-buffers.ts'

/**
 * Most that the kernel is asked to send at once, whatever `sendfile_max_chunk` allows. It takes the more at once the less
 * is sent again and again into a connection whose window is full: a file of 1 MB in pieces of 128 KB costs twice as much.
 */
const FILE_PIECE_MAX = 2097152

/** Sends head and body; `entry` was opened, and is released when all is sent. */
export function sendFile(r: Request, entry: FileEntry): void {
  const { out } = r
  out.seekable = true
  // Filters may make the memory forget what is being sent.
  const { content, text } = entry
  out.file = entry
  r.sendHead()
  if (r.headerOnly || r.refusal !== 0 || out.replacement !== undefined || content !== undefined) {
    entry.release()
    entry.dropUnkept()
    if (r.headerOnly || r.refusal !== 0) r.body.write(NO_BYTES, LAST)
    else if (out.replacement !== undefined) r.body.write(out.replacement, LAST | STABLE)
    else if (out.parts !== undefined) sendParts(r, content!, out.parts)
    else if (text !== undefined) r.body.writeText(text, LAST)
    else r.body.write(content!, LAST | STABLE)
    return
  }
  const whole = [{ text: '', start: 0, end: entry.size }]
  new FileProducer(r, entry, out.parts ?? whole).start()
}

/** Sends head and body, which is `lead` and then a part of a file; `entry` was opened, and is released when all is sent. */
export function sendPartOfFile(r: Request, entry: FileEntry, lead: Buffer, part: BodyPart): void {
  const { content } = entry
  // A range is sought, not read up to: a film may be longer than what the worker can read while others wait.
  r.out.seekable = true
  r.sendHead()
  const parts = partsOf(r.out.parts, lead, part)
  if (r.headerOnly || r.refusal !== 0 || content !== undefined) {
    entry.release()
    entry.dropUnkept()
    if (r.headerOnly || r.refusal !== 0) r.body.write(NO_BYTES, LAST)
    else {
      if (r.out.parts === undefined) r.body.write(lead, STABLE)
      sendParts(r, content!, parts)
    }
    return
  }
  if (r.out.parts === undefined) r.body.write(lead, STABLE)
  new FileProducer(r, entry, parts).start()
}

/** What filters chose of a body that is `lead` and then `part` of a file, as parts of that file with texts before them. */
function partsOf(chosen: readonly BodyPart[] | undefined, lead: Buffer, part: BodyPart): readonly BodyPart[] {
  if (chosen === undefined) return [part]
  const by = part.start - lead.length
  return chosen.map(({ text, start, end }) => {
    return {
      text: text + lead.latin1Slice(Math.min(start, lead.length), Math.min(end, lead.length)),
      start: Math.max(start, lead.length) + by,
      end: Math.max(end, lead.length) + by,
    }
  })
}

function sendParts(r: Request, content: Buffer, parts: readonly BodyPart[]): void {
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!
    if (part.text !== '') r.body.write(Buffer.from(part.text, 'latin1'), 0)
    r.body.write(content.subarray(part.start, part.end), i === parts.length - 1 ? LAST | STABLE : STABLE)
  }
}

/** A part of a file on its way; the file stays open until it has been sent. */
class SentPiece implements FilePiece {
  readonly fd: number
  readonly at: number
  readonly length: number
  readonly #r: Request
  readonly #entry: FileEntry

  constructor(r: Request, entry: FileEntry, at: number, length: number) {
    this.fd = entry.fd
    this.at = entry.base + at
    this.length = length
    this.#r = r
    this.#entry = entry
    entry.retain()
  }

  done(missing: number): void {
    const entry = this.#entry
    // The request may be over, and its object another one's.
    if (missing > 0 && this.#r.out.file === entry) {
      const at = this.at + this.length - missing
      const { secure } = this.#r.client
      this.#r.logError(
        ALERT,
        secure ? readOnly(entry, at) : `sendfile() reported that "${entry.path}" was truncated at ${at}`,
      )
    }
    entry.release()
  }
}

/** Reads an open file (or parts of it) into the body of a response. */
class FileProducer implements Producer {
  readonly #r: Request
  readonly #entry: FileEntry
  readonly #parts: readonly BodyPart[]
  /** Buffers that the client may not have taken yet. */
  readonly #lent: Buffer[] = []
  #index = 0
  #at = 0

  constructor(r: Request, entry: FileEntry, parts: readonly BodyPart[]) {
    this.#r = r
    this.#entry = entry
    this.#parts = parts
  }

  start(): void {
    this.#r.producer = this
    this.#beginPart()
    this.#pump()
  }

  onDrain(): void {
    this.#pump()
  }

  onAbort(): void {
    this.#entry.release()
    giveBackLater(this.#r.carrier, this.#lent)
  }

  #beginPart(): void {
    const part = this.#parts[this.#index]!
    this.#at = part.start
    if (part.text !== '') this.#r.body.write(Buffer.from(part.text, 'latin1'), 0)
  }

  #pump(): void {
    const r = this.#r
    if (r.carrier.pendingBytes === 0) giveBack(this.#lent)
    while (r.producer === this) {
      const part = this.#parts[this.#index]!
      if (this.#at < part.end) {
        if (!this.#piece(part.end)) return
      } else if (this.#index + 1 < this.#parts.length) {
        this.#index++
        this.#beginPart()
      } else {
        this.#finish()
        return
      }
    }
  }

  /** Sends one piece; false when there is nothing more to do now. */
  #piece(end: number): boolean {
    const { client, body } = this.#r
    const { sendfile, sendfile_max_chunk } = this.#r.location.core
    // What is encrypted is read in any case: by the wire, when it is the client's turn.
    if ((sendfile || client.secure) && body.takesFiles) return this.#pieceByWire(end, sendfile_max_chunk)
    const size = Math.min(LENT_SIZE, end - this.#at)
    const bytes = lend()
    this.#lent.push(bytes)
    const count = readOpen(this.#entry.fd, bytes, size, this.#entry.base + this.#at)
    if (typeof count === 'string' || count === 0) {
      this.#fail(count)
      return false
    }
    this.#at += count
    const last = this.#at === end && this.#index === this.#parts.length - 1
    if (last) this.#release()
    const piece = count === LENT_SIZE ? bytes : bytes.subarray(0, count)
    const room = this.#r.body.write(piece, last ? LAST | LENT : LENT)
    if (last) giveBackLater(this.#r.carrier, this.#lent)
    return room && !last
  }

  /** The same, without the bytes being seen here. */
  #pieceByWire(end: number, sizeMax: number): boolean {
    const { body } = this.#r
    const most = sizeMax > 0 ? Math.min(sizeMax, FILE_PIECE_MAX) : FILE_PIECE_MAX
    const piece = new SentPiece(this.#r, this.#entry, this.#at, Math.min(most, end - this.#at))
    this.#at += piece.length
    const last = this.#at === end && this.#index === this.#parts.length - 1
    if (last) this.#release()
    return body.writeFile(piece, last ? LAST : 0) && !last
  }

  #release(): void {
    this.#r.producer = undefined
    this.#entry.release()
  }

  #finish(): void {
    this.#release()
    this.#r.body.write(NO_BYTES, LAST)
  }

  /** The file ends before its time: only closing tells the client. */
  #fail(error: string | 0): void {
    const r = this.#r
    if (error === 0) r.logError(ALERT, readOnly(this.#entry, this.#at))
    else r.logError(CRIT, `pread() "${this.#entry.path}" failed ${errnoText(error)}`)
    this.#release()
    r.carrier.abortRequest(r, true)
  }
}

function readOnly({ path, size }: FileEntry, at: number): string {
  return `pread() read only ${at} of ${size} from "${path}"`
}
