/**
 * Where the keys of `auth_jwt` come from: files, and answers to subrequests. Without `auth_jwt_key_cache` they are asked
 * each time, but the same text is not read again: with it go the tokens that its keys have been found to fit.
 */
import type { Request } from '../../../http/request/request.ts'
import { failureText, openFile, wholeText } from '../../../http/response/open-file.ts'
import { MemorySubrequest } from '../../../http/subrequest/memory-body.ts'
import type { SubrequestOwner } from '../../../http/subrequest/subrequest.ts'
import { fromBinary } from '../../../lib/bytes.ts'
import { clock } from '../../../lib/clock.ts'
import { Lru } from '../../../lib/lru.ts'
import { type KeySet, readKeySet } from '../../../lib/tokens.ts'
import { ERROR } from '../../../log/error-log.ts'
import { type Later, postpone } from '../../../net/flush.ts'

/** Different texts of keys, in all of a worker. */
const TEXTS_MAX = 64
/** Names of files and URIs, which may have variables in them. */
const PLACES_MAX = 256
/** Key sets grow beyond what `subrequest_output_buffer_size` has for the answers that pages include. */
const ANSWER_MAX = 1_048_576

const NOT_MODIFIED = 304
/** How gzip begins. */
const GZIP = '\x1f\x8b'
const ADVICE = ', since the client asks for that: its location needs "proxy_pass_request_headers off"'

const known = new Lru<string, KeySet>(TEXTS_MAX)

/** Key sets that `auth_jwt_key_cache` keeps, by file or URI. */
export class KeyCache {
  readonly #kept = new Lru<string, { readonly keys: KeySet; readonly until: number }>(PLACES_MAX)

  get(place: string): KeySet | undefined {
    const found = this.#kept.get(place)
    return found !== undefined && clock.monotonic < found.until ? found.keys : undefined
  }

  keep(place: string, keys: KeySet, forMs: number): void {
    if (forMs > 0) this.#kept.set(place, { keys, until: clock.monotonic + forMs })
  }
}

/** The keys of a text; what is wrong with it is logged. */
function keysOf(r: Request, text: string, place: string): KeySet | undefined {
  const before = known.get(text)
  if (before !== undefined) return before
  const keys = readKeySet(fromBinary(text))
  if (typeof keys === 'string') {
    r.logError(ERROR, `"${place}" is no JSON Web Key Set: ${keys}`)
    return undefined
  }
  known.set(text, keys)
  return keys
}

/** The keys in a file, or undefined when that fails. */
export function keysOfFile(r: Request, path: string): KeySet | undefined {
  const entry = openFile(r, path)
  if (entry.error !== '') {
    r.logError(ERROR, failureText(entry))
    return undefined
  }
  const text = wholeText(entry)
  entry.release()
  return keysOf(r, text, path)
}

/** Asks for keys, and has the request's step run again when they are there: `done` is true then. */
export class KeyRequest implements SubrequestOwner, Later {
  readonly #r: Request
  readonly uri: string
  done = false
  keys: KeySet | undefined

  constructor(r: Request, uri: string) {
    this.#r = r
    this.uri = uri
  }

  start(): boolean {
    const mark = this.uri.indexOf('?')
    const uri = mark < 0 ? this.uri : this.uri.slice(0, mark)
    const question = new KeyAnswer(this.#r, uri, mark < 0 ? '' : this.uri.slice(mark + 1), this)
    question.leaveBody()
    return question.start()
  }

  onSubrequestEnd(sr: Request): void {
    this.done = true
    const { status } = sr.out
    const text = sr.carrier instanceof KeyAnswer ? sr.carrier.body.latin1Slice() : ''
    const told = `the request for keys to "${this.uri}" was answered`
    if (status !== 200) this.#r.logError(ERROR, `${told} with ${status}${status === NOT_MODIFIED ? ADVICE : ''}`)
    else if (text.startsWith(GZIP)) this.#r.logError(ERROR, `${told} in compressed form${ADVICE}`)
    else this.keys = keysOf(this.#r, text, this.uri)
    postpone(this)
  }

  runLater(): void {
    if (!this.#r.ended) this.#r.retry()
  }
}

class KeyAnswer extends MemorySubrequest {
  protected override get sizeMax(): number {
    return ANSWER_MAX
  }
}
