/** `require $variable ...` of a `match` block: variables are asked of a request that stands for the check's answer. */
import type { LocationConf } from '../../http/location.ts'
import type { TreeContext } from '../../http/module.ts'
import { ownRequest, ownValue } from '../../http/own-request.ts'
import { isTrue } from '../../value/truth.ts'
import type { Requirement } from './upstream-match.ts'

/** Tells whether all of the variables are set to something other than 0; `location` lends the request its settings. */
export function compileRequirement(names: readonly string[], location: LocationConf, tree: TreeContext): Requirement {
  const getters = names.map((name) => tree.variable(name.slice(1)))
  return ({ status, headers }) => {
    const r = ownRequest(location, '/', { host: '', status, headers })
    return getters.every((getter) => isTrue(ownValue(getter, r)))
  }
}
