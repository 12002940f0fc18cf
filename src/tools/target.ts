/** Which configuration a tool is to look at: nginx's own options, or a file as its only word. */
import path from 'node:path'
import { type Origin, originOf } from '../cli/origin.ts'
import type { Console } from './frame/tool.ts'

/** nginx's options that say where a configuration is. */
export const TARGET_OPTIONS = {
  conf: {
    type: 'string',
    short: 'c',
    value: 'FILE',
    help: 'the configuration (default: the one that the server would take)',
  },
  prefix: { type: 'string', short: 'p', value: 'PREFIX', help: 'the prefix path, as for the server' },
  globals: {
    type: 'string',
    short: 'g',
    value: 'DIRECTIVES',
    help: 'directives outside of the file, as for the server',
  },
} as const

/** What was given of them. */
export interface TargetValues {
  readonly conf?: string | undefined
  readonly prefix?: string | undefined
  readonly globals?: string | undefined
}

/** Works out the paths. */
export function targetOf(
  { conf, prefix, globals = '' }: TargetValues,
  [word]: readonly string[],
  { folder }: Console,
): Origin {
  const given = word ?? conf
  return originOf({
    globals,
    prefix: prefix === undefined ? undefined : path.resolve(folder, prefix),
    conf: given === undefined || prefix !== undefined ? given : path.resolve(folder, given),
    errorLog: 'stderr',
  })
}
