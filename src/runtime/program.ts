/** From a loaded configuration to what processes and workers run: the addresses, zones, logs and folders it needs. */
import type { Diagnostics } from '../config/diagnostics.ts'
import type { Config, ConfigModule } from '../config/load.ts'
import { knownHosts } from '../lib/resolve-host.ts'
import type { Steps } from '../lib/steps.ts'
import type { ErrorLog } from '../log/error-log.ts'
import type { LogFiles } from '../log/log-files.ts'
import { eventMethod, ringSpeaksTls } from '../modules/core/events.ts'
import { expectRing } from '../net/engine.ts'
import type { CheckedFacts, ZoneRequest } from '../tree/builder.ts'
import type { Role } from '../tree/context.ts'
import type { ListenSpec } from './endpoints.ts'
import { compileHttp, type HttpTree } from './http-tree.ts'

/** What a configuration asks for beyond itself, and the trees that serve it. */
export interface Program {
  readonly config: Config
  readonly listens: readonly ListenSpec[]
  readonly zones: readonly ZoneRequest[]
  readonly logFiles: readonly string[]
  readonly tempPaths: readonly string[]
  /** Files that the configuration was read from beside its own, and that may be replaced at any time. */
  readonly renewable: readonly string[]
  /** Workers keep CAP_NET_RAW. */
  readonly keepsNetRaw: boolean
  readonly http: HttpTree | undefined
  readonly facts: CheckedFacts
}

/** What compiling may use. */
interface ProgramEnv {
  readonly diagnostics: Diagnostics
  readonly modules: readonly ConfigModule[]
  readonly role: Role
  readonly zones: ReadonlyMap<string, SharedArrayBuffer>
  readonly log: ErrorLog
  readonly files: LogFiles
  readonly workerId: number
  readonly isFirst: boolean
  readonly facts: CheckedFacts | undefined
}

/** Compiles a configuration; problems go to the diagnostics, and then there is no program. */
export function* compileProgram(config: Config, env: ProgramEnv): Steps<Program | undefined> {
  expectRing(eventMethod(config) !== 'epoll', ringSpeaksTls(config))
  const http = yield* compileHttp(config, env.modules, { ...env, prefix: config.prefix, source: config.source })
  if (env.diagnostics.failed) return undefined
  const builder = http?.builder
  return {
    config,
    listens: (http?.endpoints ?? []).map((endpoint) => endpoint.spec),
    zones: [...(builder?.zones.values() ?? [])],
    logFiles: [...(builder?.logPaths ?? [])],
    tempPaths: [...(builder?.tempPaths ?? [])],
    renewable: [...(builder?.renewable ?? [])],
    keepsNetRaw: builder?.keepsNetRaw ?? false,
    http,
    facts: {
      variables: builder?.variables.made ?? [],
      hosts: knownHosts(),
      renewable: [...(builder?.renewable ?? [])],
    },
  }
}
