/** Imports run one way (see the layers below), without cycles; modules know nothing of each other. */
import path from 'node:path'
import type { Finding, Import, TreeFile } from './source-tree.ts'

/** From the bottom to the top; what stands together on a line may not import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['lib'],
  ['config'],
  ['value'],
  ['log'],
  ['shared'],
  ['sys'],
  ['net'],
  ['upstream'],
  ['tree'],
  ['tls'],
  ['http', 'stream'],
  ['modules'],
  ['runtime'],
  ['process'],
  ['admin'],
  ['cli'],
  ['tools'],
  ['main.ts'],
]
/** The rooms of http/ in the same way: one knows what stands before it. `h1` and `h2` are engines of the same kind. */
const HTTP_ROOMS: readonly (readonly string[])[] = [
  ['files'],
  ['message'],
  ['settings'],
  ['request'],
  ['response'],
  ['compile'],
  ['subrequest'],
  ['server'],
  ['h1', 'h2'],
  ['cache'],
  ['exchange'],
  ['accept'],
  ['status'],
]
/** Who may import the list of modules; everybody else gets it as a parameter. */
const MODULE_LIST = 'src/modules/index.ts'
const MODULE_LIST_USERS = /^src\/(?:cli\/|tools\/|process\/worker-port\.ts$|main\.ts$)/

/** Node's networking belongs to net/, which hides it. */
const NETWORKING = /^node:(?:net|tls|dgram|dns|http|https|http2)(?:\/|$)/

/** Checks the imports of all files. `networkUsers` are the files outside net/ that may use Node's networking, with the reason. */
export function checkImports(files: readonly TreeFile[], networkUsers: Readonly<Record<string, string>>): Finding[] {
  const sources = files.filter((file) => file.path.startsWith('src/'))
  const findings: Finding[] = []
  for (const file of sources) {
    for (const one of file.imports) {
      const message =
        (one.isFile ? fileProblem(file.path, one) : packageProblem(file.path, one, networkUsers)) ??
        (one.reexport ? 'names are exported where they are defined' : undefined)
      if (message !== undefined) findings.push({ path: file.path, line: one.line, message })
    }
  }
  return [...findings, ...findCycles(sources), ...findUnreached(files, sources)]
}

function packageProblem(from: string, one: Import, networkUsers: Readonly<Record<string, string>>): string | undefined {
  if (!NETWORKING.test(one.target) || one.typeOnly) return undefined
  if (from.startsWith('src/net/') || networkUsers[from] !== undefined) return undefined
  return `${one.target} is used in src/net/ alone`
}

function fileProblem(from: string, one: Import): string | undefined {
  const { target } = one
  if (!target.startsWith('src/')) return target === 'package.json' ? undefined : `${target} is outside of src/`
  if (!path.extname(target)) return `${target}: the ending of a file is written out`
  if (target === MODULE_LIST && !MODULE_LIST_USERS.test(from)) return `${target} is passed as a parameter`
  const own = rankOf(from)
  const other = rankOf(target)
  if (own === undefined || other === undefined) return `src/${layerOf(own === undefined ? from : target)} is no layer`
  if (other.rank > own.rank || (other.rank === own.rank && other.name !== own.name)) {
    return `${own.name} may not import ${other.name} (${target})`
  }
  return roomProblem(from, target) ?? moduleProblem(from, target)
}

/** Types count too: a room that names another one's types cannot be read without it. */
function roomProblem(from: string, target: string): string | undefined {
  const [own, other] = [httpRoom(from), httpRoom(target)]
  if (own === undefined || other === undefined || own === other) return undefined
  const [rank, otherRank] = [own, other].map((name) => HTTP_ROOMS.findIndex((names) => names.includes(name)))
  if (rank! < 0 || otherRank! < 0) return `src/http/${rank! < 0 ? own : other} is no room of http/`
  return otherRank! >= rank! ? `http/${own} may not import http/${other} (${target})` : undefined
}

/** `h1` for `src/http/h1/connection.ts`; undefined outside of http/. */
function httpRoom(file: string): string | undefined {
  const [, layer, room, ...rest] = file.split('/')
  return layer === 'http' && rest.length > 0 ? room : undefined
}

/** What runs modules knows none of them, and what two modules share stands below both. */
function moduleProblem(from: string, target: string): string | undefined {
  if (!target.startsWith('src/modules/') || target.startsWith('src/modules/core/') || target === MODULE_LIST) {
    return undefined
  }
  if (from === MODULE_LIST) return undefined
  if (!from.startsWith('src/modules/')) return `${target} is reached through the list of modules`
  return moduleOf(from) === moduleOf(target) ? undefined : `${target} belongs to another module`
}

/** What a file belongs to: its folder in `src/modules/http/`, or itself when it stands there alone. */
function moduleOf(file: string): string {
  return file.split('/').slice(0, 4).join('/')
}

function layerOf(file: string): string {
  return file.split('/')[1]!
}

function rankOf(file: string): { readonly name: string; readonly rank: number } | undefined {
  const name = layerOf(file)
  const rank = LAYERS.findIndex((names) => names.includes(name))
  return rank < 0 ? undefined : { name, rank }
}

/** Finds files that nothing leads to; an entry of a thread or a process is named by a URL. */
function findUnreached(files: readonly TreeFile[], sources: readonly TreeFile[]): Finding[] {
  const reached = new Set(files.flatMap((file) => file.imports.map((one) => one.target)))
  for (const { path: from, text } of sources) {
    for (const [, url] of text.matchAll(/new URL\('([^']+\.ts)'/g)) reached.add(path.join(path.dirname(from), url!))
  }
  return sources
    .filter((file) => file.path !== 'src/main.ts' && !file.path.endsWith('.d.ts') && !reached.has(file.path))
    .map((file) => ({ path: file.path, line: 1, message: 'nobody imports this file' }))
}

/** Finds circles of imports that are there at run time. */
function findCycles(files: readonly TreeFile[]): Finding[] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      file.imports.filter((one) => one.isFile && !one.typeOnly).map((one) => one.target),
    ]),
  )
  const done = new Set<string>()
  const findings: Finding[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file)
    if (at >= 0) {
      const circle = [...trail.slice(at), file].join(' -> ')
      findings.push({ path: file, line: 1, message: `imports go round in a circle: ${circle}` })
      return
    }
    if (done.has(file)) return
    for (const next of edges.get(file) ?? []) visit(next, [...trail, file])
    done.add(file)
  }
  for (const { path: file } of files) visit(file, [])
  return findings
}
