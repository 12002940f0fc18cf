/** The log of the main context, opened the same way in every process and thread. */
import type { Config } from '../config/load.ts'
import type { ErrorLog } from '../log/error-log.ts'
import type { LogFiles } from '../log/log-files.ts'
import { errorLogDirectives, errorLogPaths, openErrorLog, withDefaultFile } from '../modules/core/error-log.ts'

/** Opens the targets of the main context, and the default one when no file is among them. */
export function openMainLog(config: Config, defaultPath: string, files: LogFiles): ErrorLog {
  return openErrorLog(withDefaultFile(config.main.resolve(errorLogDirectives).error_log, defaultPath), files)
}

/** Returns the files that the log of the main context writes to. */
export function mainLogPaths(config: Config, defaultPath: string): string[] {
  return errorLogPaths(withDefaultFile(config.main.resolve(errorLogDirectives).error_log, defaultPath))
}
