/**
 * The main context: what master and engine are told (`user`, `worker_processes`, `pid` ...). The processes read these
 * settings; nothing here is attached to requests. What nginx has for its own mechanics is accepted and has no effect.
 */
import { availableParallelism } from 'node:os'
import path from 'node:path'
import {
  failCount,
  failDirective,
  flag,
  milliseconds,
  number,
  offset,
  oneOf,
  prefixPath,
  raw,
  text,
  word,
} from '../../config/args.ts'
import { mapped } from '../../config/combine.ts'
import { directive, directives } from '../../config/directive.ts'
import { parseNumber } from '../../config/units.ts'

/** The account named by `user`; the group is the user's name unless given. */
interface UserName {
  readonly user: string
  readonly group: string
}

const userName = mapped(
  raw('user [group]', { min: 1, max: 2 }),
  ([user, group]): UserName => ({
    user: user!.text,
    group: (group ?? user!).text,
  }),
)

const workers = word('number | auto', (w, at) => {
  if (w.text === 'auto') return availableParallelism()
  return parseNumber(w.text) ?? failDirective(at, 'invalid value', w)
})

const priority = word('number', (w, at) => {
  const value = parseNumber(w.text.replace(/^[+-]/, ''))
  if (value === undefined) return failDirective(at, 'invalid number', w)
  return w.text.startsWith('-') ? -value : value
})

/** CPUs that workers are bound to: bit n of a mask stands for CPU n. */
export interface Affinity {
  readonly auto: boolean
  readonly masks: readonly bigint[]
}

const affinity = mapped(raw('auto [cpumask] | cpumask ...', { min: 1 }), (given, _, at): Affinity => {
  const auto = given[0]!.text === 'auto'
  if (auto && given.length > 2) return failCount(at)
  const masks = (auto ? given.slice(1) : given).map((mask) => {
    // nginx reads from the end.
    const bad = /[^01 ](?=[01 ]*$)/.exec(mask.text)?.[0]
    if (bad !== undefined) return at.fail(`invalid character "${bad}" in "worker_cpu_affinity"`, mask)
    return BigInt(`0b0${mask.text.replaceAll(' ', '')}`)
  })
  return { auto, masks }
})

/** One `env`: a variable that is kept (value undefined) or set. */
export interface EnvVariable {
  readonly name: string
  readonly value: string | undefined
}

const envVariable = word('variable[=value]', ({ text: given }): EnvVariable => {
  const at = given.indexOf('=')
  return at < 0 ? { name: given, value: undefined } : { name: given.slice(0, at), value: given.slice(at + 1) }
})

/** nginx passes over words that are no parameters. */
const threadPool = mapped(
  raw('name threads=number [max_queue=number]', { min: 2, max: 3 }),
  ([name, ...rest], _, at) => {
    for (const w of rest) {
      const [, key, value = ''] = /^(threads|max_queue)=(.*)$/s.exec(w.text) ?? []
      if (key === undefined) continue
      const threads = parseNumber(value)
      if (threads === undefined || (key === 'threads' && threads === 0)) {
        return at.fail(`invalid ${key} value "${w.text}"`, w)
      }
    }
    if (!rest.some((w) => w.text.startsWith('threads='))) {
      return at.fail('"thread_pool" must have "threads" parameter', name)
    }
    return { name: name!.text, at: at.end }
  },
)

/**
 * Dynamic modules of nginx and of others that are part of Viaduct. Nothing is loaded: their lines may stay. A module that
 * is not here is no reason to refuse a whole configuration either; its directives are, where they are used.
 */
const BUILT_IN: ReadonlySet<string> = new Set([
  'ngx_http_brotli_filter_module',
  'ngx_http_brotli_static_module',
  'ngx_http_echo_module',
  'ngx_http_fancyindex_module',
  'ngx_http_geoip2_module',
  'ngx_http_headers_more_filter_module',
  'ngx_http_subs_filter_module',
  'ngx_http_upstream_fair_module',
  'ngx_http_zstd_filter_module',
  'ngx_http_zstd_static_module',
])

const dynamicModule = word('file', (w, at): string => {
  const name = path.basename(w.text, '.so')
  if (!BUILT_IN.has(name)) {
    at.warn(`module "${name}" is not part of Viaduct, "load_module" ignored: its directives are not known`, w)
  }
  return name
})

/** The directives of the main context, except `error_log` and the blocks. */
export const mainDirectives = {
  daemon: directive({
    in: ['main'],
    args: flag,
    default: 'on',
    doc: 'Determines whether the server goes into the background.',
  }),
  master_process: directive({
    in: ['main'],
    args: flag,
    default: 'on',
    doc: 'Determines whether there is a master beside the process that serves; meant for developers.',
  }),
  worker_processes: directive({
    in: ['main'],
    args: workers,
    default: '1',
    doc: 'Defines the number of workers, which are threads of one process.',
  }),
  user: directive({
    in: ['main'],
    args: userName,
    doc: 'Defines the user and the group that workers run as; by default nobody and its group.',
  }),
  pid: directive({
    in: ['main'],
    args: prefixPath('file'),
    doc: 'Defines the file that holds the process id of the master.',
  }),
  working_directory: directive({ in: ['main'], args: text('name'), doc: 'Defines the folder that workers run in.' }),
  worker_shutdown_timeout: directive({
    in: ['main'],
    args: milliseconds,
    default: '0',
    doc: 'Sets how long a graceful shutdown may take before open connections are closed.',
  }),
  worker_rlimit_nofile: directive({
    in: ['main'],
    args: number(),
    doc: 'Changes the limit on open files of the process that serves.',
  }),
  worker_rlimit_core: directive({ in: ['main'], args: offset, doc: 'Changes the limit on the size of core files.' }),
  worker_priority: directive({
    in: ['main'],
    args: priority,
    default: '0',
    doc: 'Defines the scheduling priority of the process that serves.',
  }),
  worker_cpu_affinity: directive({
    in: ['main'],
    args: affinity,
    doc: 'Binds each worker to the CPUs of its mask; without the package koffi all of them to all that the masks name.',
  }),
  env: directives({ in: ['main'], args: envVariable, doc: 'Keeps or sets an environment variable for workers.' }),
  timer_resolution: directive({
    in: ['main'],
    args: milliseconds,
    doc: 'Reduces timer resolution.',
    withoutEffect: 'time is read once per event as it is',
  }),
  thread_pool: directives({
    in: ['main'],
    args: threadPool,
    doc: 'Defines a pool for reading files without blocking.',
    withoutEffect: 'Node has one pool of its own',
  }),
  lock_file: directive({
    in: ['main'],
    args: prefixPath('file'),
    doc: 'Sets the lock file.',
    withoutEffect: 'no file locks are used',
  }),
  debug_points: directive({
    in: ['main'],
    args: oneOf('stop', 'abort'),
    doc: 'Stops the program when an internal error is found.',
    withoutEffect: 'a worker with an internal error always dies and is replaced',
  }),
  pcre_jit: directive({
    in: ['main'],
    args: flag,
    default: 'off',
    doc: 'Enables just-in-time compilation of regular expressions.',
    withoutEffect: 'regular expressions are always compiled',
  }),
  ssl_engine: directive({
    in: ['main'],
    args: text('name'),
    doc: 'Names the hardware accelerator.',
    unsupported: 'OpenSSL as built into Node has no engines',
  }),
  ssl_object_cache_inheritable: directive({
    in: ['main'],
    args: flag,
    default: 'on',
    doc: 'A reload reads certificates, keys and their kin again only when their inode or time of change is another one.',
  }),
  load_module: directives({
    in: ['main'],
    args: dynamicModule,
    doc: 'Names a dynamic module of nginx. Those that are part of Viaduct are always there; of others, their directives are refused.',
  }),
}

/** The module list's entry for the main context. */
export const mainModule = { name: 'core', directives: mainDirectives }
