/**
 * Reads configuration files and replaces every `include` by the statements of the files that it names.
 *
 * The only file of `config/` that touches the file system, and only through `SourceReader`: what one load read is
 * recorded as a `SourceSnapshot`, plain data that another thread or process can replay without the disk.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { errnoText } from '../lib/errno.ts'
import { systemPath } from '../lib/file-status.ts'
import { finish, type Steps } from '../lib/steps.ts'
import { decodeText } from '../lib/text.ts'
import { expandGlob } from './glob.ts'
import { LATE_WEIGHT_MAX, type LateBlock, type LateRule, weightOf } from './late.ts'
import { packagedFile } from './packaged.ts'
import { parseInSteps } from './parser.ts'
import type { Statement } from './source.ts'
import { evaluateTyped, isTyped, placed, TypedFailure } from './typed.ts'

/**
 * Where configuration text comes from. `read` throws an error with a `code` as node:fs does. Paths are binary strings, as
 * all text of the server; the texts that it returns are decoded without loss (`decodeText`).
 */
export interface SourceReader {
  read(path: string): string
  /** Paths that match a POSIX glob pattern, sorted; none is not an error. */
  glob(pattern: string): readonly string[]
  /** For tools: where a file is that the configuration names, when it is meant for another machine. */
  locate?(path: string): string
}

/** Everything that one load read, structured-clonable. */
export interface SourceSnapshot {
  readonly texts: Map<string, string>
  readonly globs: Map<string, readonly string[]>
  /** Paths that could not be read, with the error code. */
  readonly missing: Map<string, string>
}

/** One configuration file as `-T` prints it. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** `include` in `include` in ...: nginx stops only when it runs out of descriptors. */
const INCLUDE_DEPTH_MAX = 64
/** Files that all include each other multiply; this many inclusions are taken for a mistake. */
const INCLUDES_MAX = 100_000

/** Reads from the disk. */
export const diskReader: SourceReader = {
  read: (path) => (isTyped(path) ? evaluateTyped(path) : decodeText(readFileSync(systemPath(path)))),
  glob: (pattern) => expandGlob(pattern, namesIn, (path) => existsSync(systemPath(path))),
}

/** Replays a snapshot: what was not read when it was recorded does not exist. */
export function snapshotReader(snapshot: SourceSnapshot): SourceReader {
  return {
    read(path) {
      const text = snapshot.texts.get(path)
      if (text !== undefined) return text
      throw Object.assign(new Error(path), { code: snapshot.missing.get(path) ?? 'ENOENT' })
    },
    glob: (pattern) => snapshot.globs.get(pattern) ?? [],
  }
}

/** Wraps a reader so that all that goes through it is read once and stands in `snapshot`. */
export function recordingReader(reader: SourceReader): {
  readonly reader: SourceReader
  readonly snapshot: SourceSnapshot
} {
  const snapshot: SourceSnapshot = { texts: new Map(), globs: new Map(), missing: new Map() }
  const recording: SourceReader = {
    read(path) {
      let text = snapshot.texts.get(path)
      if (text === undefined) {
        try {
          text = reader.read(path)
        } catch (error) {
          if (!(error instanceof TypedFailure)) snapshot.missing.set(path, codeOf(error))
          throw error
        }
        snapshot.texts.set(path, text)
      }
      return text
    },
    glob(pattern) {
      const known = snapshot.globs.get(pattern)
      if (known) return known
      const paths = reader.glob(pattern)
      snapshot.globs.set(pattern, paths)
      return paths
    },
    locate: (path) => reader.locate?.(path) ?? path,
  }
  return { reader: recording, snapshot }
}

/** nginx's message for a file that could not be read: `open() "/x" failed (2: No such file or directory)`. */
export function openFailure(path: string, error: unknown): string {
  if (error instanceof TypedFailure) return error.message
  const code = codeOf(error)
  return `${code === 'EISDIR' ? 'pread' : 'open'}() "${path}" failed ${errnoText(code)}`
}

/** Resolves a path as nginx does: an absolute one stays, another is appended to the prefix without normalising. */
export function fullName(path: string, prefix: string): string {
  if (path.startsWith('/')) return path
  return prefix === '' || prefix.endsWith('/') ? prefix + path : `${prefix}/${path}`
}

/** How files are parsed: which blocks are passed over, and whether words are binary strings. */
interface Parsing {
  readonly late: LateRule
  readonly binary: boolean
}

/** Reads files and expands includes, remembering each file once in the order first read. */
export class Includer {
  readonly #reader: SourceReader
  readonly #confPrefix: string
  readonly #parsing: Parsing
  readonly #files = new Map<string, SourceFile>()
  /** Statements of each file before its includes are expanded: shared snippets are parsed once. */
  readonly #parsed = new Map<string, readonly Statement[]>()
  /** What files add to the weight of a block that includes them. */
  readonly #weights = new Map<string, number>()
  #stack: readonly string[] = []
  #included = 0

  constructor(reader: SourceReader, confPrefix: string, parsing: Parsing) {
    this.#reader = reader
    this.#confPrefix = confPrefix
    this.#parsing = parsing
  }

  get files(): readonly SourceFile[] {
    return [...this.#files.values()]
  }

  /** Parses a file and expands it; throws what the reader throws. */
  *load(path: string): Steps<readonly Statement[]> {
    const parsed = yield* this.#parse(path)
    this.#stack = [...this.#stack, path]
    const statements = yield* this.expand(parsed)
    this.#stack = this.#stack.slice(0, -1)
    return statements
  }

  *#parse(path: string): Steps<readonly Statement[]> {
    let parsed = this.#parsed.get(path)
    if (parsed === undefined) {
      const text = this.#reader.read(path)
      this.#files.set(path, { path, text })
      parsed = yield* parseInSteps(text, path, this.#parsing)
      if (isTyped(path)) parsed = placed(parsed, text)
      this.#parsed.set(path, parsed)
    }
    return parsed
  }

  /** Replaces the includes among statements, at every depth; one that fails stays, with its fault. */
  *expand(statements: readonly Statement[]): Steps<readonly Statement[]> {
    if (!statements.some((s) => s.block !== undefined || s.name.text === 'include')) return statements
    const expanded: Statement[] = []
    for (const s of statements) {
      const { args, block, late } = s
      if (s.fault !== undefined) expanded.push(s)
      else if (late !== undefined) expanded.push(yield* this.#expandLate(s, late))
      else if (s.name.text !== 'include') expanded.push(block ? { ...s, block: yield* this.expand(block) } : s)
      else if (block) expanded.push({ ...s, fault: 'directive "include" is not terminated by ";"' })
      else if (args.length !== 1) expanded.push({ ...s, fault: 'invalid number of arguments in "include" directive' })
      else for (const included of yield* this.#include(s, args[0]!.text)) expanded.push(included)
    }
    return expanded
  }

  *#include(at: Statement, argument: string): Steps<readonly Statement[]> {
    const all: Statement[] = []
    for (const file of this.#pathsOf(argument)) {
      const fault = this.#refusal(file)
      if (fault !== undefined) {
        all.push({ ...at, fault })
        continue
      }
      try {
        for (const statement of yield* this.load(file)) all.push(statement)
      } catch (error) {
        all.push({ ...at, fault: openFailure(file, error) })
      }
    }
    return all
  }

  #pathsOf(argument: string): readonly string[] {
    const path = fullName(argument, this.#confPrefix)
    if (/[*?[]/.test(path)) return this.#reader.glob(path)
    const packaged = packagedFile(argument)
    return [packaged !== undefined && this.#isMissing(path) ? packaged : (this.#reader.locate?.(path) ?? path)]
  }

  #isMissing(path: string): boolean {
    try {
      this.#reader.read(path)
      return false
    } catch (error) {
      return !(error instanceof TypedFailure) && codeOf(error) === 'ENOENT'
    }
  }

  #refusal(file: string): string | undefined {
    if (this.#stack.includes(file)) return `"${file}" includes itself`
    if (this.#stack.length >= INCLUDE_DEPTH_MAX) return 'too many nested "include" directives'
    return this.#included++ >= INCLUDES_MAX ? 'too many "include" directives' : undefined
  }

  /** A block that was passed over: what it includes decides with whether it may wait. */
  *#expandLate(s: Statement, late: LateBlock): Steps<Statement> {
    if (late.includes.length === 0) return s
    let { weight } = late
    for (const argument of late.includes) weight += yield* this.#weightOf(argument)
    const { late: _, ...now } = s
    if (weight > LATE_WEIGHT_MAX) return { ...now, block: yield* this.expand([...late.read()]) }
    const heads = yield* this.expand(late.heads)
    const stack = this.#stack
    const read = (): readonly Statement[] => {
      this.#stack = stack
      return finish(this.expand([...late.read()]))
    }
    return { ...s, late: { ...late, heads: heads.filter(({ name }) => this.#parsing.late.heads.has(name.text)), read } }
  }

  *#weightOf(argument: string): Steps<number> {
    let weight = 0
    for (const path of this.#pathsOf(argument)) weight += this.#weights.get(path) ?? (yield* this.#weigh(path))
    return weight
  }

  *#weigh(path: string): Steps<number> {
    // What includes itself or cannot be read is no reason to wait.
    this.#weights.set(path, Number.POSITIVE_INFINITY)
    let weight = 0
    try {
      weight = yield* this.#weighAll(yield* this.#parse(path))
    } catch {
      return Number.POSITIVE_INFINITY
    }
    this.#weights.set(path, weight)
    return weight
  }

  *#weighAll(statements: readonly Statement[]): Steps<number> {
    let weight = 0
    for (const s of statements) {
      if (s.fault !== undefined) return Number.POSITIVE_INFINITY
      if (this.#parsing.late.eager.has(s.name.text)) return Number.POSITIVE_INFINITY
      weight += weightOf(s)
      if (s.block !== undefined) weight += yield* this.#weighAll(s.block)
      else if (s.name.text === 'include' && s.args.length === 1) weight += yield* this.#weightOf(s.args[0]!.text)
    }
    return weight
  }
}

/** The folder of a file, with the trailing slash that nginx's prefixes carry. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1)
}

/** The code of a failed system call; any other error is a mistake of the program and goes on. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  throw error
}

/** The names in a folder; one that cannot be read holds none, as for the C library's glob. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(systemPath(folder), 'latin1')
  } catch {
    return []
  }
}
