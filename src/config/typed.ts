/**
 * Configurations that are written in TypeScript (`viaduct.config.ts`). A process of its own runs the file and prints what it
 * means as nginx's text, one statement a line; a last line of that says where each came from, so that what is wrong with a
 * statement is told at the line that made it.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { fromBinary, toBinary } from '../lib/bytes.ts'
import { entryOf } from '../lib/entry.ts'
import type { Position, Statement, Word } from './source.ts'

const EVALUATE = fileURLToPath(entryOf(new URL('../tools/typed/evaluate.ts', import.meta.url)))
const TYPED = /\.(?:[cm]?ts|[cm]?js)$/
/** A configuration is no program that runs for long. */
const TIMEOUT_MS = 30_000
const TEXT_MAX = 256 * 1024 * 1024
/** What the last line begins with. */
export const PLACES = '# places: '

/** Running the file has failed; the message is the whole story. */
export class TypedFailure extends Error {}

/** Tells whether a file is run, and not read. */
export function isTyped(path: string): boolean {
  return TYPED.test(path)
}

/** Runs a file and returns the text that it means; throws a `TypedFailure`. */
export function evaluateTyped(path: string): string {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, ['--no-warnings', EVALUATE, fromBinary(path)], {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: TEXT_MAX,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, VIADUCT_ROLE: undefined },
  })
  if (status === 0) return stdout
  const why = error === undefined ? stderr.trim() || 'it ended early' : error.message
  throw new TypedFailure(`"${path}" cannot be run: ${toBinary(why)}`)
}

/** The statements of such a text with the places where they were made. */
export function placed(statements: readonly Statement[], text: string): readonly Statement[] {
  const last = text.trimEnd().split('\n').at(-1) ?? ''
  if (!last.startsWith(PLACES)) return statements
  const places = last.slice(PLACES.length).split(' ').map(readPlace)
  return statements.map((statement) => placeStatement(statement, places))
}

interface Place {
  readonly line: number
  readonly column: number
}

function readPlace(text: string): Place {
  const [line, column] = text.split(':')
  return { line: Number(line), column: Number(column) }
}

function placeStatement(statement: Statement, places: readonly Place[]): Statement {
  const { name, args, block, end, close } = statement
  const place = places[name.line - 1]
  if (place === undefined) return statement
  const there = <P extends Position>(position: P): P => ({ ...position, ...place })
  return {
    ...statement,
    name: there<Word>(name),
    args: args.map((word) => there<Word>(word)),
    end: { ...there(end), ...(end.from === undefined ? {} : { from: there(end.from) }) },
    block: block?.map((inner) => placeStatement(inner, places)),
    ...(close === undefined ? {} : { close: there(close) }),
  }
}
