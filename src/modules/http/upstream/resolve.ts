/** Groups with names that are looked up while serving: what they need, and where they begin and end. */
import type { ScopeView } from '../../../config/directive.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import type { Zone } from '../../../shared/zone.ts'
import { RESOLV_CONF, resolverDirectives, resolverOf, systemResolver } from '../../../tree/resolver.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import { ResolvedGroup, ResolvedGroups, type ResolveLine } from '../../../upstream/resolve.ts'
import { ChangingRows } from '../../../upstream/resolve-rows.ts'
import type { ServerLine } from '../../../upstream/server-line.ts'

/** Adds the servers behind the names of `lines` to a group; `zone` is where it keeps its state, where there is memory. */
export function attachNames(
  group: PeerGroup,
  lines: readonly ServerLine[],
  zone: Zone | undefined,
  scope: ScopeView,
  tree: HttpTree,
): void {
  const resolver = resolverOf(scope, tree) ?? systemResolver(scope, tree)
  if (scope.resolve(resolverDirectives).resolver === undefined) {
    const what = `no resolver defined to resolve names at run time in upstream "${group.name}"`
    tree.warn(`${what}, the name servers of ${RESOLV_CONF} are asked`, lines[0]!.at)
  }
  const groups = tree.shared('upstream names', () => {
    const made = new ResolvedGroups()
    tree.onStart(() => made.start())
    tree.onExit(() => made.stop())
    return made
  })
  const { resolver_timeout: timeoutMs } = scope.resolve(resolverDirectives)
  const rows = zone === undefined ? undefined : new ChangingRows(zone, group.name)
  groups.add(new ResolvedGroup(group, lines.flatMap(nameOf), { resolver, timeoutMs, rows, log: tree.log }))
}

function nameOf({ address, service, text, backup, options }: ServerLine): readonly ResolveLine[] {
  if (address.kind === 'unix') return []
  return [{ host: address.host, service, port: address.port, text, backup, options }]
}
