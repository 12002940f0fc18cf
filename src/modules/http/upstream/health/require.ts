/** `require $variable ...` of a `match` block: variables are asked of a request that stands for the check's answer. */

import type { HttpTree } from '../../../../http/compile/module.ts'
import { standInRequest } from '../../../../http/exchange/stand-in.ts'
import type { LocationConf } from '../../../../http/request/location.ts'
import { isTrue } from '../../../../value/truth.ts'
import type { Requirement } from './match.ts'

/** Tells whether all of the variables are set to something other than 0; `location` lends the request its settings. */
export function compileRequirement(names: readonly string[], location: LocationConf, tree: HttpTree): Requirement {
  const getters = names.map((name) => tree.variable(name.slice(1)))
  return ({ status, headers }) => {
    const r = standInRequest(location, '/', { host: '', status, headers })
    return getters.every((getter) => isTrue(getter(r) ?? ''))
  }
}
