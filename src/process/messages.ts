/**
 * What master, engine and worker threads say to each other. The master tells the engine what is to be; the engine asks
 * the master for the sockets that its threads lack, because only the master can duplicate a descriptor (by sending it).
 *
 *     master                    engine                     worker thread
 *       | configure ------------> | install -----------------> |
 *       | <---------------- want  | <---------------- installed |
 *       | socket (+ handle) ----> | listen ------------------> |
 *       | <--------------- ready  | <---------------- listening |
 *       | settled --------------> | stop (threads to go) -----> |
 */
import type { SourceSnapshot } from '../config/include.ts'
import type { CachePath } from '../http/cache/cache-path.ts'
import type { EnvVariable } from '../modules/core/main.ts'
import type { CheckedFacts } from '../tree/builder.ts'
import type { Limits } from './limits.ts'
import type { ConfigOrigin } from './load-program.ts'

/** A zone that must exist; buffers are kept over reloads while name, size and tag stay. */
export interface ZoneName {
  readonly name: string
  readonly size: number
  readonly tag: string
}

/** Where the configuration came from: what a thread needs to load it again without the disk. */
export interface ConfigSource extends ConfigOrigin {
  readonly snapshot: SourceSnapshot
  readonly facts: CheckedFacts
}

/** What the engine is to become. */
export interface EngineSettings {
  readonly workers: number
  /** Keys of the addresses that every worker accepts on. */
  readonly listens: readonly string[]
  readonly zones: readonly ZoneName[]
  /** Opened before rights are dropped, and then by descriptor in every thread. */
  readonly logFiles: readonly string[]
  readonly user: Identity | undefined
  /** With that account it keeps the right to use addresses that are not this machine's (CAP_NET_RAW). */
  readonly keepsNetRaw: boolean
  readonly workingDirectory: string | undefined
  readonly priority: number
  readonly limits: Limits
  readonly drive: Drive
  readonly shutdownTimeoutMs: number
  readonly env: readonly EnvVariable[]
  /** Caches whose files its main thread looks after. */
  readonly caches: readonly CachePath[]
}

/** What drives the sockets of worker threads, each of which keeps to what it began with. */
export type Drive = 'epoll' | 'io_uring' | 'io_uring without TLS'

/** The account that the engine runs under. */
export interface Identity {
  readonly user: string
  readonly uid: number
  readonly gid: number
}

/** From the master to the engine; `socket` comes with the handle. */
export type ToEngine =
  | {
      readonly type: 'configure'
      readonly generation: number
      readonly source: ConfigSource
      readonly settings: EngineSettings
    }
  | { readonly type: 'socket'; readonly slot: number; readonly key: string }
  /** The master no longer holds sockets that the configuration does not ask for: surplus threads may go. */
  | { readonly type: 'settled'; readonly generation: number }
  /** A new configuration is not used. */
  | { readonly type: 'refused'; readonly problem: string }
  | { readonly type: 'reopen' }
  | { readonly type: 'stop'; readonly graceful: boolean }

/** How grave a line of the log is. */
export type LogLevel = 'alert' | 'crit' | 'error' | 'warn' | 'notice' | 'info'

/** From the engine to the master. */
export type FromEngine =
  | { readonly type: 'want'; readonly slot: number; readonly keys: readonly string[] }
  | { readonly type: 'ready'; readonly generation: number }
  | { readonly type: 'failed'; readonly generation: number; readonly errors: readonly string[] }
  | { readonly type: 'log'; readonly level: LogLevel; readonly message: string }

/** From the engine's main thread to a worker thread. `logs` are descriptors by path, shared by all threads. */
export type ToWorker =
  | {
      readonly type: 'install'
      readonly generation: number
      readonly source: ConfigSource
      readonly zones: ReadonlyMap<string, SharedArrayBuffer>
      readonly logs: ReadonlyMap<string, number>
      /** Descriptors of logs that this configuration does not name: to be closed when no thread holds them. */
      readonly leaving: readonly number[]
    }
  | { readonly type: 'listen'; readonly key: string; readonly fd: number }
  | { readonly type: 'reopen'; readonly logs: ReadonlyMap<string, number> }
  | { readonly type: 'stop'; readonly graceful: boolean; readonly timeoutMs: number }

/** From a worker thread to the engine's main thread. */
export type FromWorker =
  | { readonly type: 'started'; readonly tid: number }
  | { readonly type: 'installed'; readonly generation: number }
  | { readonly type: 'failed'; readonly generation: number; readonly errors: readonly string[] }
  | { readonly type: 'listening'; readonly key: string }
  /** Accepting rested for want of descriptors, and may go on. */
  | { readonly type: 'want'; readonly keys: readonly string[] }
  | { readonly type: 'reopened' }
  /** Nothing in the thread can write to the descriptor of a log that is no longer named. */
  | { readonly type: 'unheld'; readonly fd: number }
  | { readonly type: 'stopped' }
