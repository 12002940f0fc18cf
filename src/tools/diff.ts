/** `viaduct diff OLD NEW`: what another configuration changes for requests, whatever it changes in the text. */

import fs from 'node:fs'
import path from 'node:path'
import { formatPretty } from '../config/format.ts'
import { traceTo } from '../http/request/trace.ts'
import { errnoText } from '../lib/errno.ts'
import { readable } from '../lib/text.ts'
import type { Program } from '../runtime/program.ts'
import { type Sample, samplesOf, samplesOfLog } from './diff/urls.ts'
import { changesOf, changeText, factsOf } from './explain/facts.ts'
import { compileForRequests } from './explain/program.ts'
import { Recorder } from './explain/recorder.ts'
import { answer } from './explain/run.ts'
import { Paint } from './frame/paint.ts'
import { type Console, FINE, FOUND, ToolFailure, tool } from './frame/tool.ts'
import { targetOf } from './target.ts'

const SHOWN_MAX = 3
/** Requests of a log that are replayed, the most frequent first. */
const LIMIT_DEFAULT = 2000

/** The tool. */
export const diff = tool({
  name: 'diff',
  summary: 'what another configuration changes for requests, not in the text',
  usage: ['[--log access.log] OLD NEW'],
  about:
    'Runs the same requests through both configurations, as explain does, and says what differs: server, location, handler,\n' +
    'what back ends are sent, fields of the response, limits, cache, log. The requests are those of an access log, or some for\n' +
    'each location of both. Nobody is contacted. Exit status 1 when something differs.',
  options: {
    log: {
      type: 'string',
      value: 'FILE',
      help: 'replay the requests of this access log (combined, or with the host first)',
    },
    limit: {
      type: 'string',
      value: 'N',
      help: `how many different requests of it, the most frequent first (${LIMIT_DEFAULT})`,
    },
    prefix: { type: 'string', short: 'p', value: 'PREFIX', help: 'the prefix path, as for the server' },
    json: { type: 'boolean', help: 'the changes as JSON' },
  },
  words: 'files',
  examples: [
    ['/etc/nginx/nginx.conf nginx.conf', 'before a reload'],
    ['--log /var/log/nginx/access.log old.conf new.conf', 'by the requests that really come'],
  ],
  async run(values, words, console) {
    const [old, next, ...more] = words
    if (old === undefined || next === undefined || more.length > 0) {
      throw new ToolFailure('it takes two configurations', 'viaduct diff OLD NEW')
    }
    const limit = Number(values.limit ?? LIMIT_DEFAULT)
    if (!(limit >= 1)) throw new ToolFailure(`--limit takes a number from 1, not "${values.limit}"`)
    const before = load(old, values.prefix, console)
    const after = load(next, values.prefix, console)
    const samples = values.log === undefined ? union(before, after) : fromLog(values.log, [before, after], console)
    const groups = await compare(before, after, samples.slice(0, limit))
    const report =
      values.json === true
        ? `${JSON.stringify({ requests: samples.length, changes: groups }, undefined, 2)}\n`
        : textOf(groups, Math.min(samples.length, limit), new Paint(console.colours))
    console.out(readable(report))
    return groups.length > 0 ? FOUND : FINE
  },
})

function load(file: string, prefix: string | undefined, console: Console): Program {
  traceTo(new Recorder())
  const { program, diagnostics, textOf: fileText } = compileForRequests(targetOf({ conf: file, prefix }, [], console))
  traceTo(undefined)
  if (program !== undefined) return program
  for (const found of diagnostics.all) console.error(readable(`${formatPretty(found, fileText)}\n`))
  throw new ToolFailure(`${file} is no configuration that a server would start with`)
}

function fromLog(file: string, programs: readonly Program[], { folder }: Console): readonly Sample[] {
  try {
    return samplesOfLog(fs.readFileSync(path.resolve(folder, file), 'latin1'), programs)
  } catch (error) {
    throw new ToolFailure(`open() "${file}" failed ${errnoText(error)}`)
  }
}

function union(before: Program, after: Program): readonly Sample[] {
  const all = new Map([...samplesOf(before), ...samplesOf(after)].map((sample) => [nameOf(sample), sample]))
  return [...all.values()]
}

function nameOf({ method, secure, host, port, target }: Sample): string {
  const usual = port === (secure ? 443 : 80)
  return `${method} ${secure ? 'https' : 'http'}://${host}${usual ? '' : `:${port}`}${target}`
}

/** Requests for which the same changes. */
interface Group {
  readonly changes: readonly string[]
  /** How many requests of the log, or of those that were made up. */
  requests: number
  readonly examples: string[]
}

async function compare(before: Program, after: Program, samples: readonly Sample[]): Promise<Group[]> {
  const groups = new Map<string, Group>()
  for (const sample of samples) {
    const changes = changesOf(await factsFor(before, sample), await factsFor(after, sample)).map(changeText)
    if (changes.length === 0) continue
    const key = changes.join('\n')
    const group = groups.get(key) ?? { changes, requests: 0, examples: [] }
    group.requests += sample.count
    if (group.examples.length < SHOWN_MAX) group.examples.push(nameOf(sample))
    groups.set(key, group)
  }
  return [...groups.values()].sort((a, b) => b.requests - a.requests)
}

async function factsFor(program: Program, sample: Sample): Promise<ReadonlyMap<string, string>> {
  const { method, secure, host, port, target } = sample
  const supposed = { status: 200, fields: [['Content-Type', 'text/html'] as const], body: Buffer.alloc(1024, 'x') }
  const fields = [['Accept-Encoding', 'gzip, br'] as const]
  const question = {
    secure,
    host,
    port,
    target,
    method,
    fields,
    from: '127.0.0.1',
    bodySize: 0,
    http2: false,
    supposed: [supposed],
  }
  try {
    return factsOf(await answer(program, question, new Recorder()))
  } catch (error) {
    if (error instanceof ToolFailure) return new Map([['listener', 'none']])
    throw error
  }
}

function textOf(groups: readonly Group[], requests: number, paint: Paint): string {
  if (groups.length === 0) return `Nothing changes for ${requests} requests.\n`
  const lines: string[] = []
  for (const { changes, requests: count, examples } of groups) {
    lines.push(paint.bold(`${count} ${count === 1 ? 'request' : 'requests'}, such as ${examples.join(', ')}`))
    for (const change of changes) {
      lines.push(
        `  ${change.startsWith('+') ? paint.of('green', change) : change.startsWith('-') ? paint.of('red', change) : change}`,
      )
    }
    lines.push('')
  }
  return `${lines.join('\n')}${groups.length} kinds of changes among ${requests} requests.\n`
}
