/**
 * Certificates and keys of our own whose names come from variables: read when a request needs them, and kept as
 * `ssl_certificate_cache` says (ngx_event_openssl_cache.c). Reading blocks the worker, as in nginx.
 */

import { readFileSync, statSync } from 'node:fs'
import { clock } from '../lib/clock.ts'
import { errnoCode } from '../lib/errno.ts'
import { systemPath } from '../lib/file-status.ts'
import type { CertificateCacheOptions } from './sources.ts'

/** How many entries one addition looks at to drop what nobody used. */
const EXPIRED_PER_STEP = 2

/** A PEM text, or what is wrong with its file. */
export interface Pem {
  readonly text: string
  readonly problem: string
}

interface Entry {
  pem: Pem
  created: number
  accessed: number
  /** Changes with the file. */
  mark: string
}

const GONE = ''
/** A key that needs a password is read each time, as in nginx. */
const ENCRYPTED = /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m

/** Why a file cannot be read, as OpenSSL tells it. */
export function openProblem(path: string, errno: string, number: number, text: string): string {
  const code = (0x80000000 + number).toString(16).toUpperCase()
  const reason = errno === 'ENOENT' ? '10000080:BIO routines::no such file' : '10080002:BIO routines::system lib'
  return `BIO_new_file() failed (SSL: error:${code}:system library::${text}:calling fopen(${path}, r) error:${reason})`
}

/** The files, kept if so configured. */
export class PemFiles {
  readonly #options: CertificateCacheOptions | undefined
  /** The entry used longest ago stands first. */
  readonly #entries = new Map<string, Entry>()
  readonly #problem: (path: string, errno: string) => string

  constructor(options: CertificateCacheOptions | undefined, problem: (path: string, errno: string) => string) {
    this.#options = options
    this.#problem = problem
  }

  /** The text behind a path. */
  read(path: string): Pem {
    const options = this.#options
    if (options === undefined) return this.#load(path)
    const now = clock.seconds
    const known = this.#entries.get(path)
    if (known === undefined) return this.#add(path, options)
    this.#entries.delete(path)
    if (now - known.created > options.validS) {
      const mark = markOf(path)
      if (mark === GONE || mark !== known.mark) return this.#add(path, options)
      known.created = now
    }
    known.accessed = now
    this.#entries.set(path, known)
    return known.pem
  }

  /** Reads it anew next time: what was read does not fit to something else. */
  forget(path: string): boolean {
    return this.#entries.delete(path)
  }

  #add(path: string, options: CertificateCacheOptions): Pem {
    const mark = markOf(path)
    const pem = this.#load(path)
    if (pem.problem !== '' || ENCRYPTED.test(pem.text)) return pem
    const now = clock.seconds
    let seen = 0
    for (const [old, { accessed }] of this.#entries) {
      if (this.#entries.size < options.max && (seen++ === EXPIRED_PER_STEP || now - accessed <= options.inactiveS))
        break
      this.#entries.delete(old)
    }
    this.#entries.set(path, { pem, created: now, accessed: now, mark })
    return pem
  }

  #load(path: string): Pem {
    // tidy: a file that cannot be read is told by an exception, once per file
    try {
      return { text: readFileSync(systemPath(path), 'latin1'), problem: '' }
    } catch (error) {
      return { text: '', problem: this.#problem(path, errnoCode(error)) }
    }
  }
}

function markOf(path: string): string {
  const status = statSync(systemPath(path), { throwIfNoEntry: false })
  return status === undefined ? GONE : `${status.ino} ${status.mtimeMs}`
}
