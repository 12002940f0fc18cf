/** Why a server and a location were chosen, in words. */
import type { Position } from '../../config/source.ts'
import type { LocationConf, LocationTree, ServerConf } from '../../http/request/location.ts'
import { structure } from '../../http/settings/core-directives.ts'
import type { EndpointPlan } from '../../runtime/endpoints.ts'

/** A sentence with the place that it speaks of. */
export interface Reason {
  readonly text: string
  readonly at: Position | undefined
}

/** Why `server` answers requests for `host` at `endpoint`. */
export function whyServer(server: ServerConf, host: string, endpoint: EndpointPlan): Reason {
  const names = server.base.scope.resolve(structure).server_name.flat()
  const fitting = names.find((name) => fits(name, host))
  if (fitting !== undefined) return { text: `its server_name ${fitting.text} is for "${host}"`, at: fitting.at }
  const { listen } = server.base.scope.resolve(structure)
  const marked = listen.flat().find((one) => one.defaultServer && one.key === endpoint.spec.key)
  if (marked !== undefined)
    return { text: `no server_name is for "${host}", and it is the default_server`, at: marked.at }
  const others = new Set([endpoint.servers.defaultServer])
  return {
    text: `no server_name is for "${host}", and it is the first server of ${endpoint.spec.key}`,
    at: others.has(server) ? server.base.scope.at : undefined,
  }
}

type Name = ReturnType<typeof namesOf>[number]

function namesOf(server: ServerConf) {
  return server.base.scope.resolve(structure).server_name.flat()
}

function fits(name: Name, host: string): boolean {
  switch (name.kind) {
    case 'regex':
      return name.pattern.exec(host)
    case 'exact':
      return name.name === host
    case 'dot':
      return host.endsWith(`.${name.name}`) || host === name.name
    case 'suffix':
      return host.endsWith(name.name)
    case 'prefix':
      return host.startsWith(name.name)
    default:
      return false
  }
}

/** How a location is written: `location ^~ /images/`. */
function locationName({ name, regex, exact, noRegex }: LocationConf): string {
  return `location ${regex !== undefined ? '~ ' : exact ? '= ' : noRegex ? '^~ ' : ''}${name}`
}

/** Why `chosen` has won, and why the others that could have been meant have lost; undefined: none fits. */
export function whyLocation(
  tree: LocationTree,
  uri: string,
  chosen: LocationConf | undefined,
): { readonly won: string; readonly lost: readonly Reason[] } {
  const won = chosen === undefined ? 'no location is for it' : howWon(uri, chosen)
  const lost: Reason[] = []
  collect(tree, uri, chosen, lost)
  return { won, lost }
}

function howWon(uri: string, { exact, regex, noRegex, name }: LocationConf): string {
  if (exact) return `exactly ${uri}`
  if (regex !== undefined) return `the first regular expression that matches ${uri}`
  if (name !== uri && !uri.startsWith(name)) return `${uri} with a slash behind it`
  return `the longest prefix of ${uri}${noRegex ? '; ^~ keeps regular expressions out' : ''}`
}

function collect(tree: LocationTree, uri: string, chosen: LocationConf | undefined, lost: Reason[]): void {
  const final = chosen?.exact === true
  let decided = false
  for (const location of tree.members) {
    const { name, regex, exact, inner } = location
    if (location === chosen) {
      decided = true
      continue
    }
    const at = location.scope.at
    const shown = locationName(location)
    if (regex !== undefined) {
      if (final) lost.push({ text: `${shown}: an exact location comes before it`, at })
      else if (chosen?.noRegex === true) lost.push({ text: `${shown}: not tried, because of ^~`, at })
      else if (decided && chosen?.regex !== undefined)
        lost.push({ text: `${shown}: not tried, it stands behind the one that matches`, at })
      else lost.push({ text: `${shown}: does not match`, at })
    } else if (!exact && uri.startsWith(name)) {
      const why =
        chosen?.regex !== undefined ? 'a prefix, but a regular expression matches' : `shorter than ${chosen?.name}`
      lost.push({ text: `${shown}: ${final ? 'an exact location comes before it' : why}`, at })
    } else if (closeTo(uri, name)) lost.push({ text: `${shown}: not a prefix of ${uri}`, at })
    if (inner !== undefined && chosen !== undefined && isWithin(chosen, location)) collect(inner, uri, chosen, lost)
  }
}

/** It differs in a slash or in case only, which is what people overlook. */
function closeTo(uri: string, name: string): boolean {
  return name !== uri && (`${uri}/` === name || uri.toLowerCase().startsWith(name.toLowerCase()))
}

function isWithin(inner: LocationConf, outer: LocationConf): boolean {
  for (let at: LocationConf | undefined = inner; at !== undefined; at = at.outer) if (at === outer) return true
  return false
}
