/** Groups with names that are looked up while serving: what they need, and where they begin and end. */
import type { ScopeView } from '../../../config/directive.ts'
import type { Position } from '../../../config/source.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import type { Zone } from '../../../shared/zone.ts'
import { RESOLV_CONF, resolverDirectives, resolverOf, systemResolver } from '../../../tree/resolver.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import type { GroupPeerCounts } from '../../../upstream/peer-counts.ts'
import { ResolvedGroup, ResolvedGroups } from '../../../upstream/resolve.ts'
import { ChangingRows } from '../../../upstream/resolve-rows.ts'

/** Makes what looks up the servers behind names for a group; `zone` is where it keeps its state, where there is memory. */
export function namesOf(
  group: PeerGroup,
  { zone, counts }: { readonly zone: Zone | undefined; readonly counts: GroupPeerCounts | undefined },
  scope: ScopeView,
  tree: HttpTree,
): ResolvedGroup {
  const resolver = resolverOf(scope, tree) ?? systemResolver(scope, tree)
  const groups = tree.shared('upstream names', () => {
    const made = new ResolvedGroups()
    tree.onStart(() => made.start())
    tree.onExit(() => made.stop())
    return made
  })
  const { resolver_timeout: timeoutMs } = scope.resolve(resolverDirectives)
  const rows = zone === undefined ? undefined : new ChangingRows(zone, group.name)
  const made = new ResolvedGroup(group, [], { resolver, timeoutMs, rows, counts, log: tree.log })
  groups.add(made)
  // When the tree serves already, those made later begin at once.
  tree.onStart(() => made.start())
  return made
}

/** Warns when names are to be looked up and nobody is named who knows them. */
export function warnOfResolver(group: string, at: Position, scope: ScopeView, tree: HttpTree): void {
  if (scope.resolve(resolverDirectives).resolver !== undefined) return
  const what = `no resolver defined to resolve names at run time in upstream "${group}"`
  tree.warn(`${what}, the name servers of ${RESOLV_CONF} are asked`, at)
}

/** A `resolver` is named for the block. */
export function hasResolver(scope: ScopeView): boolean {
  return scope.resolve(resolverDirectives).resolver !== undefined
}
