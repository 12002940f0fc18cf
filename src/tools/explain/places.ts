/** Where settings come from: the directives that hold in a block, and those that do not for being inherited by lists. */
import type { Directive } from '../../config/directive.ts'
import type { Scope } from '../../config/scope.ts'
import type { Position } from '../../config/source.ts'
import { modules } from '../../modules/index.ts'

/** One directive as it was given. */
export interface Given {
  readonly value: unknown
  readonly at: Position
}

/** Directives by name; those of several contexts share one. */
const byName = new Map<string, Directive<unknown>[]>()

function declarations(name: string): readonly Directive<unknown>[] {
  if (byName.size === 0) {
    for (const module of modules) {
      for (const [key, directive] of Object.entries(module.directives)) {
        byName.set(key, [...(byName.get(key) ?? []), directive])
      }
    }
  }
  return byName.get(name) ?? []
}

function own(scope: Scope, name: string): readonly Given[] {
  return declarations(name).flatMap((directive) => scope.ordered({ [name]: directive }))
}

/** What holds in `scope`: given in it, or in the nearest block around it that gives any. */
export function inForce(scope: Scope, name: string): readonly Given[] {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const given = own(at, name)
    if (given.length > 0) return given
  }
  return []
}

/** The first word of a back end's directives, by the scheme of its URL. */
export function familyOf(scheme: string): string {
  if (scheme === 'http' || scheme === 'https') return 'proxy'
  return scheme.replace(/^(grpc)s$/, '$1').replace(/^suwsgi$/, 'uwsgi')
}

/** The value in force of a setting of the family that a back end's URL belongs to: given, or the default. */
export function settingOf(scope: Scope, url: string, name: string): unknown {
  const full = `${familyOf(url.split(':', 1)[0]!)}_${name}`
  const [directive] = declarations(full)
  return directive === undefined ? undefined : scope.resolve({ [full]: directive })[full]
}

/** What blocks around `scope` give and does not hold in it, since a nearer block has a list of its own. */
export function overridden(scope: Scope, name: string): readonly Given[] {
  const lost: Given[] = []
  let found = false
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const given = own(at, name)
    if (found) lost.push(...given)
    found ||= given.length > 0
  }
  return lost
}

/** Whether a named setting that holds in `scope` has this value. */
export function has(scope: Scope, name: string, value: unknown): boolean {
  return inForce(scope, name).some((given) => given.value === value)
}
