/** The requests that two configurations are compared by: those of an access log, or some for each server and location. */
import type { LocationConf, LocationTree, ServerConf } from '../../http/request/location.ts'
import { structure } from '../../http/settings/core-directives.ts'
import type { Program } from '../../runtime/program.ts'

/** A request, and how often it stands for one. */
export interface Sample {
  readonly method: string
  readonly secure: boolean
  readonly host: string
  readonly port: number
  readonly target: string
  readonly count: number
}

const REQUEST = /"([A-Z]+) (\S+) HTTP\/[\d.]+"/
const VHOST = /^([a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::(\d+))? /i

/**
 * The requests of an access log in a format with the request line in quotes, as `combined` has it; a host name that stands
 * first (`vhost_combined`) is the host. Requests that are the same but for their arguments count as one.
 */
export function samplesOfLog(text: string, programs: readonly Program[]): readonly Sample[] {
  const [home] = programs.flatMap((program) => samplesOf(program))
  if (home === undefined) return []
  const counts = new Map<string, Sample>()
  for (const line of text.split('\n')) {
    const [, method, target] = REQUEST.exec(line) ?? []
    if (method === undefined || target === undefined) continue
    const [, host = home.host, port] = VHOST.exec(line) ?? []
    const key = `${method} ${host} ${target.split('?', 1)[0]}`
    const known = counts.get(key)
    const asked = { ...home, method, host, target, port: port === undefined ? home.port : Number(port) }
    counts.set(key, { ...(known ?? asked), count: (known?.count ?? 0) + 1 })
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)
}

/** One request for each location of each server on each address, and one that no location is for by its name. */
export function samplesOf({ http }: Program): readonly Sample[] {
  const samples: Sample[] = []
  for (const { spec, servers, byAddress } of http?.endpoints ?? []) {
    if (spec.kind !== 'tcp') continue
    for (const group of [servers, ...byAddress.values()]) {
      for (const server of group.all) {
        for (const target of targetsOf(server)) {
          samples.push({ method: 'GET', secure: group.ssl, host: hostOf(server), port: spec.port, target, count: 1 })
        }
      }
    }
  }
  return samples
}

/** A host that the server answers for; one that nobody has when it has no name. */
function hostOf(server: ServerConf): string {
  for (const name of server.base.scope.resolve(structure).server_name.flat()) {
    if (name.kind === 'exact' && name.name !== '' && name.name !== '_') return name.name
    if (name.kind === 'dot') return name.name
    if (name.kind === 'suffix') return `www${name.name}`
    if (name.kind === 'prefix') return `${name.name}example`
  }
  return 'unnamed.invalid'
}

function targetsOf(server: ServerConf): Set<string> {
  const targets = new Set(['/', '/no-such-thing'])
  collect(server.locations, targets)
  return targets
}

function collect(tree: LocationTree, targets: Set<string>): void {
  for (const location of tree.members) {
    for (const target of targetsFor(location)) targets.add(target)
    if (location.inner !== undefined) collect(location.inner, targets)
  }
}

function targetsFor({ name, regex, exact }: LocationConf): string[] {
  if (regex !== undefined) {
    const sample = matching(name)
    return sample !== undefined && regex.pattern.exec(sample) ? [sample] : []
  }
  if (exact) return [name]
  return name.endsWith('/') ? [name, `${name}x`] : [name, `${name}/x`]
}

/** A path that a simple regular expression matches: its first alternatives, each part as often as it must be there. */
function matching(source: string): string | undefined {
  let text = source.replace(/^\^/, '').replace(/\$$/, '')
  for (let i = 0; i < 20; i++) {
    const next = text.replace(/\((?:\?(?:<\w+>|:))?([^()]*)\)([*?]|\+)?/, (_, inner: string, times?: string) =>
      times === '*' || times === '?' ? '' : inner.split('|')[0]!,
    )
    if (next === text) break
    text = next
  }
  text = text
    .replace(/\[\^[^\]]*\][+*]?/g, 'x')
    .replace(/\[(\w)[^\]]*\][+*]?/g, '$1')
    .replace(/\\d[+*]?/g, '1')
    .replace(/\\w[+*]?/g, 'x')
    .replace(/\.[+*]/g, 'x')
    .replace(/(\\?.)[*?]/g, '')
    .replace(/\{\d[^}]*\}/g, '')
    .replace(/\+/g, '')
    .replace(/\\(.)/g, '$1')
  return text.startsWith('/') ? text : `/x${text}`
}
