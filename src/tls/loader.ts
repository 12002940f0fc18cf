/**
 * Loads what TLS needs beside settings: certificates with their keys, whom we trust, what was revoked. Used by both sides
 * of TLS; what is wrong is told in nginx's words (ngx_ssl_certificate and its neighbours).
 */

import { constants } from 'node:os'
import type { Directive } from '../config/directive.ts'
import { fullName } from '../config/include.ts'
import type { Scope } from '../config/scope.ts'
import type { Position } from '../config/source.ts'
import { toBinary } from '../lib/bytes.ts'
import { errnoText } from '../lib/errno.ts'
import { expectsTlsOnRing } from '../net/engine.ts'
import {
  certificateProblem,
  cipherProblem,
  crlProblem,
  type Made,
  openKey,
  type Pair,
  trustedProblem,
} from '../net/tls-wire-context.ts'
import type { TreeServices } from '../tree/context.ts'
import { type Commanded, carryOut, failedText } from './commands.ts'
import { openProblem, type Pem, type PemFiles } from './pem-files.ts'
import type { ConfCommand, NamedFile, PemSource } from './sources.ts'

const DATA = 'data:'
const ENGINE = 'engine:'
const STORE = 'store:'
/** The one kind of store that there is without OpenSSL's providers: a file, as a path or a URL. */
const FILE_STORE = /^store:file:(?:\/\/(?:localhost)?(?=\/))?/

/** A place of a PEM text: a path, or what the prefixes above say. */
export type Place = string

/** Reports a file of passwords (`ssl_password_file` and its like) of a block that cannot be read, whether or not it is used. */
export function checkPasswords(directive: Directive<unknown> | undefined, scope: Scope, tree: TreeServices): void {
  const file = directive === undefined ? undefined : (scope.given(directive) as NamedFile | undefined)
  if (file !== undefined) new SslLoader(tree, '').usePasswords(file)
}

/** Loads for one block; what goes wrong is reported to the tree. */
export class SslLoader {
  readonly #at: TreeServices
  readonly #ciphers: string
  #passwords: readonly string[] = []

  /** `ciphers` may name the security level that decides which certificates are good enough. */
  constructor(at: TreeServices, ciphers: string) {
    this.#at = at
    this.#ciphers = ciphers
  }

  /** What Node's engine of TLS cannot do; it would serve as well without. */
  warnWithoutRing(name: string): void {
    if (!expectsTlsOnRing()) this.#at.warn(`"${name}" is not supported by Node.js, ignored: it needs io_uring`)
  }

  /** Takes the ciphers; false when OpenSSL does not. */
  useCiphers(): boolean {
    const problem = cipherProblem(this.#ciphers)
    if (problem !== '') this.fail(`SSL_CTX_set_cipher_list("${this.#ciphers}") failed (SSL: ${problem})`)
    return problem === ''
  }

  /** Carries out what a directive commands; false when that fails. */
  command(directive: string, commands: readonly ConfCommand[], to: Commanded): boolean {
    const failed = carryOut(commands, to)
    if (failed !== undefined) this.fail(failedText(failed.name, failed.value), failed.at)
    for (const { name } of to.others) this.warnWithoutRing(`${directive} ${name}`)
    return failed === undefined
  }

  /** Takes the passwords of a file; false when it cannot be read. */
  usePasswords(file: NamedFile | undefined): boolean {
    if (file === undefined) return true
    const { text, errno } = this.#at.readFile(file.path)
    if (errno !== '') {
      this.fail(`open() "${file.path}" failed ${errnoText(errno)}`, file.at)
      return false
    }
    const lines = toBinary(text)
      .split('\n')
      .map((line) => line.replace(/\r$/, ''))
    const passwords = lines.filter((line) => line !== '')
    this.#passwords = passwords.length === 0 ? [''] : passwords
    return true
  }

  /** A certificate with its key. */
  pair(certificate: Place, key: Place, at?: Position): Pair | undefined {
    const made = this.pairOf(certificate, this.#read(certificate), key, this.#read(keyFile(key)))
    return 'made' in made ? made.made : this.fail(made.problem, at)
  }

  /** The same of texts that were read already; nothing is reported. */
  pairOf(certificate: Place, chain: Pem, key: Place, keyText: Pem): Made<Pair> {
    if (chain.problem !== '') return { problem: `cannot load certificate "${certificate}": ${chain.problem}` }
    const problem = certificateProblem(certificate, chain.text, this.#ciphers)
    if (problem !== '') return { problem }
    const opened = this.#openKey(key, keyText)
    return 'problem' in opened ? opened : { made: { certificate: chain.text, key: opened.made } }
  }

  #openKey(place: Place, pem: Pem): Made<string> {
    const told = `cannot load certificate key "${this.toldKey(place)}": `
    if (place.startsWith(ENGINE)) {
      return { problem: `${told}loading "engine:..." certificate keys is not supported` }
    }
    if (place.startsWith(STORE) && !FILE_STORE.test(place)) {
      return { problem: `${told}OSSL_STORE_open() failed (SSL: error:0000000:unregistered scheme)` }
    }
    if (pem.problem !== '') return { problem: told + pem.problem }
    const opened = openKey(pem.text, this.#passwords)
    return 'made' in opened ? opened : { problem: told + opened.problem }
  }

  /** Where a key is, for messages; nginx prints a key that is text itself. */
  toldKey(place: Place): string {
    return place.startsWith(DATA) ? `${DATA}...` : place
  }

  trusted(file: NamedFile | undefined): string | undefined {
    return this.#checked('certificate', file, trustedProblem)
  }

  crl(file: NamedFile | undefined): string | undefined {
    return this.#checked('CRL', file, crlProblem)
  }

  /** The file's text, empty when there is no file; undefined when it is not what it should be. */
  #checked(what: string, file: NamedFile | undefined, check: (pem: string) => string): string | undefined {
    if (file === undefined || file.at.text === '') return ''
    const { text, problem } = this.#read(file.path)
    const found = problem === '' ? check(text) : problem
    return found === '' ? text : this.fail(`cannot load ${what} "${file.path}": ${found}`, file.at)
  }

  #read(place: Place): Pem {
    const given = givenText(place)
    if (given !== undefined) return given
    const { text, errno } = this.#at.readRenewable(place)
    return { text, problem: errno === '' ? '' : fileProblem(place, errno) }
  }

  fail(message: string, at?: Position): undefined {
    this.#at.fail(message, at)
    return undefined
  }
}

/** Where a source is when its text is `name`. */
export function placeOf(source: PemSource, name: string): Place {
  const given = name.startsWith(DATA) || name.startsWith(ENGINE) || name.startsWith(STORE)
  return given ? name : fullName(name, source.prefix)
}

/** Where a source is whose text is made of variables; empty when they are empty. */
export function placeFor(source: PemSource, name: string): Place {
  return name === '' ? '' : placeOf(source, name)
}

/** Reads from a file that a request has chosen, or takes what stands in the place itself. */
export function readPem(files: PemFiles, place: Place): Pem {
  return givenText(place) ?? files.read(place)
}

/** The file that a key is read from. */
export function keyFile(place: Place): Place {
  return place.replace(FILE_STORE, '')
}

/** What needs no file. */
function givenText(place: Place): Pem | undefined {
  if (place.startsWith(DATA)) return { text: place.slice(DATA.length), problem: '' }
  return place.startsWith(ENGINE) || place.startsWith(STORE) ? { text: '', problem: '' } : undefined
}

/** Why a file cannot be read, as OpenSSL tells it. */
export function fileProblem(path: string, errno: string): string {
  const text = errnoText(errno).replace(/^\(\d+: |\)$/g, '')
  const numbers: Readonly<Record<string, number>> = constants.errno
  return openProblem(path, errno, numbers[errno] ?? 0, text)
}

/** The same for files that nginx opens itself. */
export function namedProblem(path: string, errno: string): string {
  return fileProblem(path, errno).replace('BIO_new_file()', `BIO_new_file("${path}")`)
}
