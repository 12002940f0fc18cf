/** A configuration as a worker compiles it, in this process: what `explain` runs requests through. */
import { inBytes, type Origin } from '../../cli/origin.ts'
import { Diagnostics } from '../../config/diagnostics.ts'
import { diskReader, snapshotReader } from '../../config/include.ts'
import { finish } from '../../lib/steps.ts'
import { NULL_LOG } from '../../log/error-log.ts'
import { LogFile, LogFiles } from '../../log/log-files.ts'
import { modules } from '../../modules/index.ts'
import { loadInMaster, loadProgram } from '../../process/load-program.ts'
import type { Program } from '../../runtime/program.ts'

/** Log files that nothing is written to. */
class NoLogFiles extends LogFiles {
  override open(path: string): LogFile {
    return new NoLogFile(path)
  }
}

class NoLogFile extends LogFile {
  constructor(path: string) {
    super(path, -1)
  }

  override append(): string {
    return ''
  }
}

/** A configuration that can be run, and what is to be said about it. */
export interface Compiled {
  readonly program: Program | undefined
  readonly diagnostics: Diagnostics
  /** The text of a file of the configuration, decoded; its path is a binary string. */
  textOf(path: string): string | undefined
}

/**
 * Loads as a master, which finds all mistakes, and then as a worker, which serves. Nothing is opened, made or written; names
 * of servers are looked up, as they are at every start.
 */
export function compileForRequests(target: Origin): Compiled {
  const origin = inBytes(target)
  const files = new NoLogFiles()
  const master = loadInMaster(origin, modules, diskReader, files)
  const { config, diagnostics } = master
  const textOf = (path: string): string | undefined => config.files.find((file) => file.path === path)?.text
  if (master.program === undefined) return { program: undefined, diagnostics, textOf }
  const { facts } = master.program
  const zones = new Map(master.program.zones.map(({ name, size }) => [name, new SharedArrayBuffer(size)]))
  const reader = snapshotReader(config.snapshot)
  const setting = { role: 'worker', workerId: 0, isFirst: true, files, openLog: () => NULL_LOG, zones, facts } as const
  const worker = finish(loadProgram(origin, modules, reader, setting))
  return {
    program: worker.program,
    diagnostics: worker.program === undefined ? worker.diagnostics : new Diagnostics(),
    textOf,
  }
}
