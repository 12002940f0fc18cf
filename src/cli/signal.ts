/** `-s`: finds the master through the pid file and sends it a signal. */
import { constants } from 'node:os'
import { errnoText } from '../lib/errno.ts'
import { NOTICE } from '../log/error-log.ts'
import { readPidFile } from '../process/pid-file.ts'
import { type SignalCommand, signalOf } from '../process/signals.ts'
import { boot, showOnStderr } from './boot.ts'
import type { Options } from './options.ts'

/** Sends the signal; returns the exit status. */
export function sendSignal(options: Options, command: SignalCommand): number {
  const { configuration } = boot(options, showOnStderr)
  const loaded = configuration.load()
  if (loaded === undefined) return 1
  loaded.log.write(NOTICE, 'signal process started')
  const pid = readPidFile(loaded.settings.pidPath)
  if (typeof pid === 'string') {
    configuration.report('error', pid)
    return 1
  }
  const signal = signalOf(command)!
  try {
    process.kill(pid, signal)
    return 0
  } catch (error) {
    configuration.report('alert', `kill(${pid}, ${constants.signals[signal]}) failed ${errnoText(error)}`)
    return 1
  }
}
