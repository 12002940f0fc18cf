/** Groups with names that are looked up while serving: what they need, and where they begin and end. */
import type { ScopeView } from '../../../config/directive.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import type { Zone } from '../../../shared/zone.ts'
import { resolverDirectives, resolverOf } from '../../../tree/resolver.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import { ResolvedGroup, ResolvedGroups, type ResolveLine } from '../../../upstream/resolve.ts'
import { ChangingRows } from '../../../upstream/resolve-rows.ts'
import type { ServerLine } from '../../../upstream/server-line.ts'

/** Adds the servers behind the names of `lines` to a group; `zone` is where it keeps its state, if it has a place. */
export function attachNames(
  group: PeerGroup,
  lines: readonly ServerLine[],
  zone: { readonly given: boolean; readonly attached: Zone | undefined },
  scope: ScopeView,
  tree: HttpTree,
): void {
  const upstream = `upstream "${group.name}" in ${scope.at.file}:${scope.at.line}`
  if (!zone.given) {
    tree.fail(`resolving names at run time requires ${upstream} to be in shared memory`)
    return
  }
  const resolver = resolverOf(scope, tree)
  if (resolver === undefined) {
    tree.fail(`no resolver defined to resolve names at run time in ${upstream}`)
    return
  }
  const groups = tree.shared('upstream names', () => {
    const made = new ResolvedGroups()
    tree.onStart(() => made.start())
    tree.onExit(() => made.stop())
    return made
  })
  const { resolver_timeout: timeoutMs } = scope.resolve(resolverDirectives)
  const rows = zone.attached === undefined ? undefined : new ChangingRows(zone.attached, group.name)
  groups.add(new ResolvedGroup(group, lines.flatMap(nameOf), { resolver, timeoutMs, rows, log: tree.log }))
}

function nameOf({ address, service, text, backup, options }: ServerLine): readonly ResolveLine[] {
  if (address.kind === 'unix') return []
  return [{ host: address.host, service, port: address.port, text, backup, options }]
}
