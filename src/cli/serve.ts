/**
 * The server itself: loads the configuration, goes into the background when it says so, and becomes the master (or, with
 * `master_process off`, the only process).
 */
import os from 'node:os'
import { NGINX_VERSION } from '../lib/version.ts'
import { NOTICE } from '../log/error-log.ts'
import { whyNoRingHere } from '../net/engine.ts'
import type { Applied, Configuration } from '../process/configuration.ts'
import { startInBackground, tellParent } from '../process/daemon.ts'
import { EngineLink } from '../process/engine-link.ts'
import { Master } from '../process/master.ts'
import { methodNotice } from '../process/settings.ts'
import { adoptFailure, SocketBook } from '../process/socket-book.ts'
import type { Inheritance } from '../process/upgrade.ts'
import { boot, showOnStderr } from './boot.ts'
import type { Options } from './options.ts'

/** What is known before the configuration is read. */
export interface Start {
  /** True in the process that was started into the background. */
  readonly background: boolean
  readonly inherited: Inheritance | undefined
  /** An engine that was started ahead. */
  readonly engine: EngineLink | undefined
}

/** Runs the server; resolves with the exit status when it has ended. */
export async function serve(options: Options, { background, inherited, engine }: Start): Promise<number> {
  const show = background ? (line: string) => tellParent({ type: 'line', line }) : showOnStderr
  const { configuration } = boot(options, show, inherited !== undefined && inherited.from !== 'manager')
  const loaded = configuration.load()
  if (loaded === undefined) {
    engine?.kill()
    return 1
  }
  if (loaded.settings.daemon && !background && inherited === undefined) {
    engine?.kill()
    return startInBackground(loaded.mainLog)
  }
  const sockets = new SocketBook()
  if (inherited !== undefined) adopt(inherited, sockets, configuration, loaded)
  if (!(await configuration.apply(loaded, sockets))) {
    engine?.kill()
    return 1
  }
  logSystem(loaded)
  return run(configuration, sockets, engine, background || inherited !== undefined)
}

function adopt(inherited: Inheritance, sockets: SocketBook, configuration: Configuration, { log }: Applied): void {
  log.write(NOTICE, `using inherited sockets from "${inherited.text}"`)
  for (const { key, kind, fd } of inherited.sockets) {
    const error = sockets.adopt(key, kind, fd, inherited.from)
    if (error !== undefined) configuration.report('emerg', error)
  }
  for (const fd of inherited.bad) configuration.report('emerg', adoptFailure(fd, 'ENOTSOCK'))
}

async function run(
  configuration: Configuration,
  sockets: SocketBook,
  ahead: EngineLink | undefined,
  daemonized: boolean,
): Promise<number> {
  const onListening = (): void => {
    configuration.closeConsole()
    tellParent({ type: 'listening' })
  }
  if (!configuration.current.settings.master) {
    ahead?.kill()
    const { SingleProcess } = await import('../process/single-process.ts')
    return new SingleProcess({ configuration, sockets, onListening }).run()
  }
  const engine = ahead ?? new EngineLink(configuration.current.settings.workers)
  return new Master({ configuration, sockets, engine, daemonized, onListening }).run()
}

/** What nginx notes at every start; tools look for the version here. */
function logSystem({ log, settings, engine }: Applied): void {
  const why = settings.eventMethod === 'epoll' ? '' : whyNoRingHere()
  log.write(NOTICE, methodNotice(engine.drive))
  if (why !== '') log.write(NOTICE, `no io_uring: ${why}`)
  log.write(NOTICE, `nginx/${NGINX_VERSION}`)
  log.write(NOTICE, `built by Viaduct on Node ${process.versions.node}`)
  log.write(NOTICE, `OS: ${os.type()} ${os.release()}`)
}
