/**
 * The only user of `koffi`, the optional package by which functions of the C library are called (docs/adr/0020). It is
 * loaded when something asks for it first. What is needed of it is described here, so that the sources compile without.
 */
import { createRequire } from 'node:module'

/** An address in memory; `null` is none. */
type Address = bigint | null

/** A function of the C library. A buffer is passed as its address, which is valid until the call returns. */
type Foreign = (...args: (number | Address | Uint8Array)[]) => number | bigint

/** A function of ours that C calls. */
type Called = (...args: number[]) => number

interface Library {
  func(name: string, result: string, args: readonly string[]): Foreign
}

interface Koffi {
  load(path: string | null): Library
  proto(result: string, args: readonly string[]): object
  pointer(type: object): object
  register(called: Called, type: object): bigint
  view(address: bigint, size: number): ArrayBuffer
  address(bytes: Uint8Array): bigint
}

/** How functions of the C library are had. */
export interface Foreigner {
  /** Declares one; types are those of C. */
  func(name: string, result: string, args: readonly string[]): Foreign
  /** Makes memory at an address visible; it must outlive what is returned. */
  view(address: bigint, size: number): ArrayBuffer
  /** Where bytes lie, as long as they are alive. */
  address(bytes: Uint8Array): bigint
  /**
   * Makes a function that C may call, from within a call that this thread makes; what it throws C sees as 0. There is room
   * for 8192 in a process, and those of threads that are gone count: then this throws.
   */
  callback(called: Called, result: string, args: readonly string[]): bigint
}

/** What a function has returned, or the negative errno of its failure. */
type Result = (returned: number | bigint) => number

const PACKAGE = 'koffi'
/** What is said when it is not there. */
export const MISSING = `the package ${PACKAGE} is not installed`

const require = createRequire(import.meta.url)
let loaded: Foreigner | string | undefined

/** Returns the way to the C library, or a text that says why there is none. */
export function foreigner(): Foreigner | string {
  loaded ??= load()
  return loaded
}

/** Tells whether the package is there. */
export function isInstalled(): boolean {
  try {
    require.resolve(PACKAGE)
    return true
  } catch {
    return false
  }
}

/**
 * Has `make` declare functions of the C library when they are first asked for. What may be missing from one, and how it says
 * so, differs from system to system: a text says why there are none. `why` says it beforehand, as far as it knows.
 */
export function declared<T extends object>(
  why: () => string,
  make: (c: Foreigner, result: Result) => T,
): () => T | string {
  let made: T | string | undefined
  return () => {
    made ??= tryToMake(why, make)
    return made
  }
}

function tryToMake<T>(why: () => string, make: (c: Foreigner, result: Result) => T): T | string {
  const against = why()
  if (against !== '') return against
  const c = foreigner()
  if (typeof c === 'string') return c
  try {
    const errno = new Int32Array(c.view(BigInt(c.func('__errno_location', 'void*', [])()), 4))
    return make(c, (returned) => ((returned as number) < 0 ? -errno[0]! : (returned as number)))
  } catch (error) {
    return `the C library: ${firstLine((error as Error).message)}`
  }
}

function load(): Foreigner | string {
  let koffi: Koffi
  try {
    koffi = require(PACKAGE) as Koffi // its interface is described above
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'MODULE_NOT_FOUND' ? MISSING : `${PACKAGE}: ${firstLine(message)}`
  }
  const library = koffi.load(null)
  return {
    func: (name, result, args) => library.func(name, result, args),
    view: (address, size) => koffi.view(address, size),
    address: (bytes) => koffi.address(bytes),
    callback: (called, result, args) => koffi.register(called, koffi.pointer(koffi.proto(result, args))),
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}
