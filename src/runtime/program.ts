/** From a loaded configuration to what processes and workers run: the addresses, zones, logs and folders it needs. */
import type { Diagnostics } from '../config/diagnostics.ts'
import type { Config } from '../config/load.ts'
import type { Position, Statement } from '../config/source.ts'
import type { ErrorLog } from '../log/error-log.ts'

/** One address to listen on. */
export interface ListenSpec {
  /** `127.0.0.1:80`, `[::]:80`, `unix:/path`. */
  readonly key: string
  readonly kind: 'tcp' | 'unix' | 'udp'
  readonly host: string
  readonly port: number
  readonly path: string
  readonly backlog: number
  readonly reuseport: boolean
  readonly ipv6only: boolean
  readonly at: Position
}

/** One shared memory zone. */
export interface ZoneSpec {
  readonly name: string
  readonly size: number
  readonly tag: string
}

/** What a configuration asks for beyond itself. */
export interface Program {
  readonly config: Config
  readonly listens: readonly ListenSpec[]
  readonly zones: readonly ZoneSpec[]
  readonly logFiles: readonly string[]
  readonly tempPaths: readonly string[]
}

/** What compiling may use. */
export interface ProgramEnv {
  readonly diagnostics: Diagnostics
  readonly role: 'master' | 'engine' | 'worker'
  readonly zones: ReadonlyMap<string, SharedArrayBuffer>
  readonly log: ErrorLog
  readonly workerId: number
}

/** Compiles a configuration; problems go to the diagnostics, and then there is no program. */
export function compileProgram(config: Config, env: ProgramEnv): Program | undefined {
  const listens = config.statements.flatMap(listensOf)
  return env.diagnostics.failed ? undefined : { config, listens, zones: [], logFiles: [], tempPaths: [] }
}

function listensOf(statement: Statement): ListenSpec[] {
  if (statement.name.text !== 'listen') return (statement.block ?? []).flatMap(listensOf)
  const text = statement.args[0]!.text
  const base = { backlog: 511, reuseport: false, ipv6only: true, at: statement.end }
  if (text.startsWith('unix:')) return [{ ...base, key: text, kind: 'unix', host: '', port: 0, path: text.slice(5) }]
  const [host, port] = text.includes(':') ? text.split(':') : ['0.0.0.0', text]
  return [{ ...base, key: `${host}:${port}`, kind: 'tcp', host: host!, port: Number(port), path: '' }]
}
