/** Certificates of ours that variables name, chosen for each connection by the name that the client asked for. */

import { Lru } from '../lib/lru.ts'
import type { SecureContextHandle } from '../net/tls-wire.ts'
import { type ContextOptions, contextOf, type Pair } from '../net/tls-wire-context.ts'
import type { Text } from '../value/variables.ts'
import { fileProblem, keyFile, type Place, placeFor, readPem, type SslLoader } from './loader.ts'
import { PemFiles } from './pem-files.ts'
import type { CertificateCacheOptions, PemSource } from './sources.ts'

const KNOWN_MAX = 256

/** A certificate and its key as they are named. */
interface PairSource<Subject> {
  readonly certificate: PemSource
  readonly certificateText: Text<Subject>
  readonly key: PemSource
  readonly keyText: Text<Subject>
}

interface Places {
  readonly certificate: Place
  readonly key: Place
}

/** The certificates of one server. */
export class DynamicPairs<Subject> {
  readonly #sources: readonly PairSource<Subject>[]
  readonly #loader: SslLoader
  readonly #files: PemFiles
  readonly #options: ContextOptions
  /** By the texts that they were made of: those were found to be sound. */
  readonly #known = new Lru<string, SecureContextHandle>(KNOWN_MAX)

  constructor(
    sources: readonly PairSource<Subject>[],
    loader: SslLoader,
    cache: CertificateCacheOptions | undefined,
    options: ContextOptions,
  ) {
    this.#sources = sources
    this.#loader = loader
    this.#files = new PemFiles(cache, fileProblem)
    this.#options = options
  }

  /** The context for a connection, or what is wrong with its certificates. */
  choose(subject: Subject): SecureContextHandle | string {
    const places = this.#sources.map((s) => ({
      certificate: placeFor(s.certificate, s.certificateText(subject)),
      key: placeFor(s.key, s.keyText(subject)),
    }))
    let found = this.#make(places)
    // Files that were replaced one after the other do not fit until both are read anew.
    if (typeof found === 'string' && this.#forget(places)) found = this.#make(places)
    return found
  }

  #forget(places: readonly Places[]): boolean {
    let any = false
    for (const { certificate, key } of places) {
      if (this.#files.forget(certificate)) any = true
      if (this.#files.forget(keyFile(key))) any = true
    }
    return any
  }

  #make(places: readonly Places[]): SecureContextHandle | string {
    const read = places.map(({ certificate, key }) => ({
      chain: readPem(this.#files, certificate),
      key: readPem(this.#files, keyFile(key)),
    }))
    const texts = read.map(({ chain, key }) => chain.text + key.text).join('\0')
    const known = this.#known.get(texts)
    if (known !== undefined) return known
    const pairs: Pair[] = []
    for (const [i, { certificate, key }] of places.entries()) {
      const pair = this.#loader.pairOf(certificate, read[i]!.chain, key, read[i]!.key)
      if ('problem' in pair) return pair.problem
      pairs.push(pair.made)
    }
    const context = contextOf({ ...this.#options, pairs })
    if ('problem' in context) {
      const key = this.#loader.toldKey(places.at(-1)?.key ?? '')
      return `SSL_use_PrivateKey("${key}") failed (SSL: ${context.problem})`
    }
    this.#known.set(texts, context.made)
    return context.made
  }
}
