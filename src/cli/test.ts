/** `-t` and `-T`: checks a configuration as a start would, and prints its files. */

import { bytesOf, toBinary } from '../lib/bytes.ts'
import { whyNoRingHere } from '../net/engine.ts'
import type { Applied } from '../process/configuration.ts'
import { touchPidFile } from '../process/pid-file.ts'
import { bindFailure, tryBind } from '../process/socket-book.ts'
import { whyNoCalls } from '../sys/calls.ts'
import { boot, showOnStderr } from './boot.ts'
import type { Options } from './options.ts'

/** Runs the check; resolves with the exit status. */
export function testConfiguration(options: Options): number {
  const { configuration, origin } = boot(options, showOnStderr)
  const failed = `configuration file ${origin.path} test failed`
  const loaded = configuration.load()
  if (loaded === undefined) {
    showOnStderr(failed)
    return 1
  }
  const say = (text: string): void => {
    if (!options.quiet) showOnStderr(text)
  }
  say(`the configuration file ${origin.path} syntax is ok`)
  configuration.warnOfLimits(loaded)
  // Without the package it is somebody's choice, and not the machine's.
  const forbidden = loaded.settings.eventMethod !== 'epoll' && whyNoCalls() === '' ? whyNoRingHere() : ''
  if (forbidden !== '') say(`[notice] no io_uring: ${forbidden}; sockets are driven by epoll`)
  if (!configuration.makeFiles(loaded) || !tryResources(loaded, configuration.report)) {
    showOnStderr(failed)
    return 1
  }
  say(`configuration file ${origin.path} test is successful`)
  if (options.dump) {
    for (const { path, text } of loaded.files) {
      process.stdout.write(bytesOf(`# configuration file ${path}:\n${toBinary(text)}\n`))
    }
  }
  return 0
}

function tryResources({ listens, settings }: Applied, report: (level: 'emerg', message: string) => void): boolean {
  const error = touchPidFile(settings.pidPath)
  if (error !== undefined) report('emerg', error)
  const failures = listens.flatMap((listen) => {
    const errno = tryBind(listen)
    return errno === 0 ? [] : [bindFailure(listen.key, errno)]
  })
  for (const failure of failures) report('emerg', failure)
  return error === undefined && failures.length === 0
}
