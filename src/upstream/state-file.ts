/**
 * `state file`: the servers of a group that is changed while it serves, one `server` line each, kept in a file so that
 * they outlive the program. It is read when the configuration loads; whoever changes the group writes it.
 */

import { word } from '../config/args.ts'
import type { Args, ReadContext } from '../config/directive.ts'
import { fullName } from '../config/include.ts'
import { parse } from '../config/parser.ts'
import type { Statement } from '../config/source.ts'
import { readKept, writeKept } from '../lib/kept-file.ts'
import { readable } from '../lib/text.ts'
import { PEER_DEFAULTS } from './registry.ts'
import type { ServerLine, ServerSpec } from './server-line.ts'

/** A state file and what it says; a file that is not there yet says nothing. */
export interface StateFile {
  readonly path: string
  readonly servers: readonly ServerLine[]
}

/** Reads the directive, and the file with `server`, the reader of the group's lines. */
export function stateFile(server: Args<ServerLine>): Args<StateFile> {
  return word('file', (name, at): StateFile => {
    const path = fullName(name.text, at.prefix)
    const text = textOf(path, at)
    return { path, servers: parse(text, path, { binary: true }).map((statement) => serverOf(statement, server, at)) }
  })
}

function textOf(path: string, at: ReadContext): string {
  const { text, problem } = readKept(path)
  return problem === '' ? text : at.fail(problem)
}

function serverOf(statement: Statement, server: Args<ServerLine>, at: ReadContext): ServerLine {
  const { name, args, block, end, fault } = statement
  if (fault !== undefined) return at.fail(fault, end)
  if (name.text !== 'server' || block !== undefined) return at.fail(`unexpected "${name.text}" in a state file`, end)
  if (args.length < server.min) return at.fail('invalid number of arguments in "server" directive', end)
  const { context, confPrefix, prefix } = at
  return server.read(args, {
    directive: name,
    end,
    context,
    confPrefix,
    prefix,
    fail: (message, where, hint) => at.fail(message, where, hint),
    warn: (message, where) => at.warn(message, where),
    uses: (variable) => at.uses?.(variable),
  })
}

/** Writes the servers of a group, whole or not at all. Returns what the system refuses, or nothing. */
export function writeState(path: string, servers: readonly ServerSpec[]): string {
  return writeKept(path, readable(stateText(servers)))
}

/** The text of a state file with these servers. */
export function stateText(servers: readonly ServerSpec[]): string {
  return servers.map((line) => `${formatServer(line)}\n`).join('')
}

/** Reads the file again, with `server`, as another thread may have written it meanwhile; a broken one says nothing. */
export function readState(path: string, server: Args<ServerLine>): readonly ServerSpec[] {
  const fail = (message: string): never => {
    throw new Error(message)
  }
  const name = { text: 'state', quoted: false, file: path, line: 1, column: 1 }
  const at: ReadContext = {
    directive: name,
    end: name,
    context: 'upstream',
    confPrefix: '',
    prefix: '',
    fail,
    warn: () => {},
  }
  // tidy: read once while the configuration loads
  try {
    return parse(textOf(path, at), path, { binary: true }).map((statement) => specOf(serverOf(statement, server, at)))
  } catch {
    return []
  }
}

/** A server without the place that it was written at. */
export function specOf({ at: _, ...spec }: ServerLine): ServerSpec {
  return spec
}

/** A `server` line as a configuration has it; what is as by default is left out. */
function formatServer({ text, backup, resolve, service, options }: ServerSpec): string {
  const { weight, maxConns, maxFails, failTimeoutS, down, drain, route, slowStartMs } = options
  const value = (name: string, given: number, usual: number, unit = ''): string =>
    given === usual ? '' : `${name}=${given}${unit}`
  const words = [
    'server',
    quoted(text),
    value('weight', weight, PEER_DEFAULTS.weight),
    value('max_conns', maxConns, PEER_DEFAULTS.maxConns),
    value('max_fails', maxFails, PEER_DEFAULTS.maxFails),
    value('fail_timeout', failTimeoutS, PEER_DEFAULTS.failTimeoutS, 's'),
    value('slow_start', slowStartMs, PEER_DEFAULTS.slowStartMs, 'ms'),
    route === '' ? '' : quoted(`route=${route}`),
    service === '' ? '' : quoted(`service=${service}`),
    resolve ? 'resolve' : '',
    backup ? 'backup' : '',
    down ? 'down' : '',
    drain ? 'drain' : '',
  ]
  return `${words.filter((word) => word !== '').join(' ')};`
}

function quoted(text: string): string {
  return /^[\w.:/=[\]-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
