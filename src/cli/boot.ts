/** What every command that reads a configuration begins with: the log before the configuration, and the console. */
import { bytesOf } from '../lib/bytes.ts'
import { errnoText } from '../lib/errno.ts'
import { ErrorLog, fileTarget, INFO, NOTICE } from '../log/error-log.ts'
import { LogFiles, STDERR_FILE } from '../log/log-files.ts'
import { modules } from '../modules/index.ts'
import { Configuration } from '../process/configuration.ts'
import { makeLogFolder } from '../process/paths.ts'
import type { Options } from './options.ts'
import { inBytes, type Origin, originOf } from './origin.ts'

/** A configuration that can be loaded. */
export interface Boot {
  readonly origin: Origin
  readonly files: LogFiles
  readonly configuration: Configuration
  readonly bootLog: ErrorLog
}

/** Opens the boot log and prepares the configuration that the options mean. */
export function boot(options: Options, showLine: (line: string) => void, inherited = false): Boot {
  const origin = inBytes(originOf(options))
  const files = new LogFiles()
  makeLogFolder(origin.prefix, [origin.errorLog])
  const bootLog = openBootLog(origin.errorLog, options.test ? INFO : NOTICE, files, showLine)
  // A log on stderr shows the same lines already.
  const console = origin.errorLog === 'stderr' ? undefined : showLine
  const { defaultPid } = origin
  const configuration = new Configuration({
    origin,
    defaultPid,
    modules,
    files,
    bootLog,
    console,
    pretty: process.stderr.isTTY,
    inherited,
  })
  return { origin, files, configuration, bootLog }
}

/** Shows a line as nginx does before it has a log. */
export function showOnStderr(line: string): void {
  process.stderr.write(bytesOf(`viaduct: ${line}\n`))
}

function openBootLog(path: string, level: number, files: LogFiles, showLine: (line: string) => void): ErrorLog {
  if (path === 'stderr') return new ErrorLog([{ level, target: fileTarget(STDERR_FILE) }])
  try {
    return new ErrorLog([{ level, target: fileTarget(files.open(path)) }])
  } catch (error) {
    showLine(`[alert] could not open error log file: open() "${path}" failed ${errnoText(error)}`)
    return new ErrorLog([])
  }
}
