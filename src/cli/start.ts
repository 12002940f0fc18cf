/**
 * Starting the server. An engine takes as long to start as the configuration to load, so where one will be needed it is
 * started first, before anything that takes time is even imported.
 */
import fs from 'node:fs'
import { inBackground } from '../process/daemon.ts'
import { EngineLink } from '../process/engine-link.ts'
import { takeInherited } from '../process/upgrade.ts'
import type { Options } from './options.ts'
import { originOf } from './origin.ts'

/** Starts and runs the server; resolves with the exit status when it has ended. */
export async function start(options: Options): Promise<number> {
  const inherited = takeInherited()
  const background = inBackground()
  const engine = background || inherited || staysInForeground(options) ? new EngineLink() : undefined
  const { serve } = await import('./serve.ts')
  return serve(options, { background, inherited, engine })
}

/** A guess by the text, before the configuration is read: being wrong costs time and nothing else. */
function staysInForeground({ globals, ...options }: Options): boolean {
  const off = /^\s*daemon\s+off\s*;/m
  if (off.test(globals)) return true
  try {
    return off.test(fs.readFileSync(originOf({ globals, ...options }).path, 'latin1'))
  } catch {
    return false
  }
}
