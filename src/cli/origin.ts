/**
 * Which configuration and which folders a command line means.
 *
 * With `-p`, everything is as in an nginx built for that prefix. Without it, an installed `/etc/nginx` is used as the
 * system's nginx would use it; any other configuration file has its own folder as prefix, so that a configuration in a
 * folder works from anywhere.
 */

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { toBinary } from '../lib/bytes.ts'
import type { ConfigOrigin } from '../process/load-program.ts'
import type { Options } from './options.ts'

/** The options that say where a configuration is. */
type Where = Pick<Options, 'globals' | 'prefix' | 'conf' | 'errorLog'>

const SYSTEM_CONF = '/etc/nginx/nginx.conf'
const SYSTEM_PREFIXES: readonly string[] = ['/usr/share/nginx/', '/etc/nginx/']
const SYSTEM_LOGS = '/var/log/nginx/'
const SYSTEM_PID = '/run/nginx.pid'
const PACKAGE_CONF = fileURLToPath(new URL('../../conf/nginx.conf', import.meta.url))

/** The configuration, and what nginx has built in at compile time. */
export interface Origin extends ConfigOrigin {
  readonly defaultPid: string
}

/** Works out paths from the options; touches the file system only to see what is there. */
export function originOf(options: Where): Origin {
  const { globals } = options
  if (options.prefix !== undefined) {
    const prefix = folder(path.resolve(options.prefix))
    return {
      path: fullName(options.conf ?? 'conf/nginx.conf', prefix),
      prefix,
      globals,
      errorLog: logPath(options.errorLog, prefix, `${prefix}logs/`),
      defaultPid: `${prefix}logs/nginx.pid`,
    }
  }
  const conf = options.conf === undefined ? defaultConf() : path.resolve(options.conf)
  if (conf.startsWith('/etc/nginx/')) {
    const prefix = SYSTEM_PREFIXES.find((candidate) => fs.existsSync(candidate)) ?? '/etc/nginx/'
    return {
      path: conf,
      prefix,
      globals,
      errorLog: logPath(options.errorLog, prefix, SYSTEM_LOGS),
      defaultPid: SYSTEM_PID,
    }
  }
  // What is installed with the program is not to be written to.
  const prefix = conf === PACKAGE_CONF ? makeHome() : folder(path.dirname(conf))
  const logs = `${prefix}logs/`
  return {
    path: conf,
    prefix,
    globals,
    errorLog: logPath(options.errorLog, prefix, logs),
    defaultPid: `${logs}nginx.pid`,
  }
}

/** The same with paths as the server has them: in binary strings. */
export function inBytes(origin: Origin): Origin {
  const { path: conf, prefix, errorLog, defaultPid } = origin
  return {
    ...origin,
    path: toBinary(conf),
    prefix: toBinary(prefix),
    errorLog: toBinary(errorLog),
    defaultPid: toBinary(defaultPid),
  }
}

/** Returns the configuration file that is used when none is named. */
export function defaultConf(): string {
  return fs.existsSync(SYSTEM_CONF) ? SYSTEM_CONF : PACKAGE_CONF
}

/** The prefix of the configuration that comes with the program: a folder of the user's own. */
function makeHome(): string {
  const home = path.join(os.homedir(), '.viaduct')
  try {
    fs.mkdirSync(home, { mode: 0o755 })
  } catch {
    // It is there, or what is to be written into it says why not.
  }
  return folder(home)
}

function logPath(given: string | undefined, prefix: string, logs: string): string {
  if (given === undefined) return `${logs}error.log`
  return given === 'stderr' || given === '' ? 'stderr' : fullName(given, prefix)
}

function folder(name: string): string {
  return name.endsWith('/') ? name : `${name}/`
}

/** As nginx: an absolute path stays, another is appended without normalising. */
function fullName(name: string, prefix: string): string {
  return name.startsWith('/') ? name : prefix + name
}
