/**
 * Starting the server. An engine takes as long to start as the configuration to load, so where one will be needed it is
 * started first, before anything that takes time is even imported.
 */
import fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { inBackground } from '../process/daemon.ts'
import { EngineLink } from '../process/engine-link.ts'
import { holdSignals } from '../process/signals.ts'
import { takeInherited } from '../process/upgrade.ts'
import type { Options } from './options.ts'
import { originOf } from './origin.ts'

/** Starts and runs the server; resolves with the exit status when it has ended. */
export async function start(options: Options): Promise<number> {
  holdSignals()
  const inherited = takeInherited()
  const background = inBackground()
  const text = configurationText(options)
  const engine = background || inherited || OFF.test(text) ? new EngineLink(workersIn(text)) : undefined
  const { serve } = await import('./serve.ts')
  return serve(options, { background, inherited, engine })
}

const OFF = /(?:^|;)\s*daemon\s+off\s*;/m
const WORKERS = /(?:^|;)\s*worker_processes\s+(auto|\d+)\s*;/m
/** Nobody starts more ahead. */
const WORKERS_MAX = 64

/** What is guessed from, before the configuration is read: being wrong costs time and nothing else. */
function configurationText({ globals, ...options }: Options): string {
  try {
    return `${globals}\n${fs.readFileSync(originOf({ globals, ...options }).path, 'latin1')}`
  } catch {
    return globals
  }
}

function workersIn(text: string): number {
  const words = WORKERS.exec(text)?.[1] ?? '1'
  const count = words === 'auto' ? availableParallelism() : Number(words)
  return Math.min(Math.max(count, 1), WORKERS_MAX)
}
