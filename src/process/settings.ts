/** What a compiled configuration means for processes: the engine's settings, the pid file, accounts and limits. */

import type { Diagnostics } from '../config/diagnostics.ts'
import { fullName } from '../config/include.ts'
import type { Config } from '../config/load.ts'
import type { Scope } from '../config/scope.ts'
import { cachesOf } from '../http/cache/caches.ts'
import { core } from '../http/settings/core-directives.ts'
import { type EventMethod, eventMethod, eventsBlocks, eventsDirectives, ringSpeaksTls } from '../modules/core/events.ts'
import { type Affinity, mainDirectives } from '../modules/core/main.ts'
import { whyNoRingHere } from '../net/engine.ts'
import type { Program } from '../runtime/program.ts'
import { findGroup, findUser } from './accounts.ts'
import { ownLimits } from './limits.ts'
import { mainLogPaths } from './main-log.ts'
import type { Drive, EngineSettings, Identity } from './messages.ts'

/** nginx's built-in account, and the names that its group has on different systems. */
const DEFAULT_USER = 'nobody'
const DEFAULT_CONNECTIONS = 512
const DEFAULT_GROUPS: readonly string[] = ['nobody', 'nogroup']

/** What the master itself needs to know. */
export interface MasterSettings {
  readonly daemon: boolean
  readonly master: boolean
  readonly pidPath: string
  readonly workers: number
  /** `worker_connections`. */
  readonly connections: number
  readonly nofile: number | undefined
  readonly affinity: Affinity | undefined
  readonly identity: Identity | undefined
  /** What drives the sockets of workers, if they can have it. */
  readonly eventMethod: EventMethod
}

/** Reads the master's settings; what is wrong with them (an unknown account, too few connections) is reported to the diagnostics. */
export function masterSettings(program: Program, defaultPid: string, diagnostics: Diagnostics): MasterSettings {
  const { config } = program
  const main = config.main.resolve(mainDirectives)
  checkMain(config, diagnostics)
  checkConnections(program, diagnostics)
  return {
    daemon: main.daemon,
    master: main.master_process,
    pidPath: main.pid ?? fullName(defaultPid, config.prefix),
    workers: main.master_process ? Math.max(1, main.worker_processes) : 1,
    connections: workerConnections(config),
    nofile: main.worker_rlimit_nofile,
    affinity: main.worker_cpu_affinity,
    identity: findIdentity(config, diagnostics),
    eventMethod: eventMethod(config),
  }
}

/** Each listening socket takes a connection in nginx, and so does the channel to the master. */
function checkConnections({ config, listens: { length: sockets } }: Program, diagnostics: Diagnostics): void {
  const connections = workerConnections(config)
  if (connections > sockets) return
  diagnostics.emerg(`${connections} worker_connections are not enough for ${sockets} listening sockets`)
}

function checkMain(config: Config, diagnostics: Diagnostics): void {
  const {
    worker_cpu_affinity: affinity,
    worker_processes: workers,
    thread_pool: pools,
  } = config.main.resolve(mainDirectives)
  const masks = affinity?.masks.length ?? 0
  if (affinity?.auto === false && masks !== 1 && masks !== workers) {
    const numbers = 'the number of "worker_processes" is not equal to the number of "worker_cpu_affinity" masks'
    diagnostics.warn(`${numbers}, using last mask for remaining worker processes`)
  }
  const names = new Set(['default'])
  for (const { name, at } of pools) {
    // The default one may be given.
    if (name !== 'default' && names.has(name)) diagnostics.emerg(`duplicate thread pool "${name}"`, at)
    names.add(name)
  }
  checkPools(config.main, names, diagnostics)
}

/** Threads are Node's, but a pool that is missing is a slip of the pen. */
function checkPools(scope: Scope, names: ReadonlySet<string>, diagnostics: Diagnostics): void {
  const pool = scope.own(core).aio?.pool?.constant
  if (pool !== undefined && !names.has(pool))
    diagnostics.emerg(`unknown thread pool "${pool}"`, scope.positionOf(core.aio))
  for (const child of scope.children) checkPools(child, names, diagnostics)
}

/** How many connections a worker may have open. */
export function workerConnections(config: Config): number {
  const [events] = config.main.resolve(eventsBlocks).events
  return events?.scope.resolve(eventsDirectives).worker_connections ?? DEFAULT_CONNECTIONS
}

/** Reads what the engine is to become. */
export function engineSettings(program: Program, settings: MasterSettings, errorLog: string): EngineSettings {
  const { config } = program
  const main = config.main.resolve(mainDirectives)
  // What a reload no longer says is as in a process that the master would start now.
  const own = ownLimits()
  return {
    workers: settings.workers,
    listens: program.listens.map((listen) => listen.key),
    zones: program.zones.map(({ name, size, tag }) => ({ name, size, tag })),
    logFiles: [...new Set([...mainLogPaths(config, errorLog), ...program.logFiles])],
    user: settings.identity,
    // Whoever stays root has it, with all else.
    keepsNetRaw: program.keepsNetRaw && (settings.identity?.uid ?? 0) !== 0,
    workingDirectory: main.working_directory,
    priority: main.worker_priority,
    limits: {
      nofile: main.worker_rlimit_nofile ?? own.nofile,
      core: main.worker_rlimit_core ?? own.core,
    },
    drive: driveOf(config),
    shutdownTimeoutMs: main.worker_shutdown_timeout,
    env: main.env,
    caches: program.http === undefined ? [] : cachesOf(program.http.builder).paths,
  }
}

/** Returns what nginx notes at every start and reload. */
export function methodNotice(drive: Drive): string {
  return `using the "${drive === 'epoll' ? drive : 'io_uring'}" event method`
}

function driveOf(config: Config): Drive {
  if (eventMethod(config) === 'epoll' || whyNoRingHere() !== '') return 'epoll'
  return ringSpeaksTls(config) ? 'io_uring' : 'io_uring without TLS'
}

function findIdentity(config: Config, diagnostics: Diagnostics): Identity | undefined {
  const { user: given } = config.main.resolve(mainDirectives)
  const at = config.main.positionOf(mainDirectives.user)
  if (process.geteuid?.() !== 0) {
    if (given !== undefined) {
      const rule = 'makes sense only if the master process runs with super-user privileges, ignored'
      diagnostics.warn(`the "user" directive ${rule}`, at)
    }
    return undefined
  }
  const user = given?.user ?? DEFAULT_USER
  const account = findUser(user)
  if (account === undefined) {
    diagnostics.emerg(`getpwnam("${user}") failed`, at)
    return undefined
  }
  const groups = given === undefined ? DEFAULT_GROUPS : [given.group]
  const gid = findGroup(groups)
  if (gid === undefined) {
    diagnostics.emerg(`getgrnam("${groups[0]}") failed`, at)
    return undefined
  }
  return { user, uid: account.uid, gid }
}
