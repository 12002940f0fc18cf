/** Resources with counts by name, of which there are many kinds: one path for all of a kind, and one for each. */
import type { HttpTree } from '../../../http/compile/module.ts'
import { DONE_SILENTLY, found, type Problem } from './answer.ts'
import { pick, pickEach } from './fields.ts'
import type { Resource } from './resource.ts'

/** A kind of them. */
export interface Collection {
  readonly path: string
  readonly since: number
  /** What is said of a name that there is not. */
  readonly missing: Problem
  /** All by name. */
  all(tree: HttpTree): ReadonlyMap<string, object>
  /** Begins to count from zero; only for names that there are. */
  reset?(tree: HttpTree, name: string): void
}

/** The resources of a kind. */
export function collection(kind: Collection): readonly Resource[] {
  const { path, since, missing } = kind
  const reset: Resource['get'] = ({ tree, names: [name] }) => {
    if (!kind.all(tree).has(name!)) return missing
    kind.reset!(tree, name!)
    return DONE_SILENTLY
  }
  return [
    { path, since, get: (ask) => found(pickEach(ask, kind.all(ask.tree))) },
    {
      path: `${path}/*`,
      since,
      get: (ask) => {
        const object = kind.all(ask.tree).get(ask.names[0]!)
        return object === undefined ? missing : found(pick(ask, object))
      },
      ...(kind.reset === undefined ? {} : { changes: { DELETE: reset } }),
    },
  ]
}
