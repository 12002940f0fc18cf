/**
 * What an HTTP module is: a name, its directives, its variables, and how it attaches to locations. Everything that a
 * module does happens while the configuration loads; what is left for requests are the steps that it put into plans.
 *
 *   init      once for the http block: zones, tables (in steps when they may be large)
 *   declare   once per block (http, server, location, if, limit_except): variables that the block makes
 *   attach    once per location after inheritance: steps, filters
 */
import type { ConfOf, Directives, ScopeView } from '../../config/directive.ts'
import type { ConfigModule } from '../../config/load.ts'
import type { Scope } from '../../config/scope.ts'
import type { Steps } from '../../lib/steps.ts'
import type { BlockContext, TreeContext } from '../../tree/context.ts'
import type { Getter, Variables } from '../../value/variables.ts'
import type { LocationConf, ServerConf } from '../request/location.ts'
import type { Plan } from '../request/plan.ts'
import type { Request } from '../request/request.ts'

/** The tree of the http block. */
export type HttpTree = TreeContext<Request>

/** What `attach` gets beside the settings and the plan. */
export interface AttachContext extends BlockContext<Request> {
  readonly location: LocationConf
  readonly server: ServerConf
  readonly scope: Scope
  /** Compiles an `if` or `limit_except` block of this location. */
  pseudo(scope: ScopeView): LocationConf
}

/** The parts of a module; all but name, doc and directives are optional. */
export interface HttpModuleSpec<D extends Directives> {
  readonly name: string
  readonly doc: string
  readonly directives: D
  readonly variables?: Variables<Request>
  /** Families of variables: `http_` makes `$http_x`. */
  readonly prefixes?: Readonly<Record<string, (rest: string) => Getter<Request>>>
  init?(conf: ConfOf<D>, tree: HttpTree, scope: Scope): Steps<void> | void
  declare?(conf: ConfOf<D>, tree: HttpTree, scope: Scope): void
  attach?(conf: ConfOf<D>, plan: Plan, at: AttachContext): void
}

/** A module with its types erased: what the compiler works with. */
export interface HttpModule extends ConfigModule, Omit<HttpModuleSpec<Directives>, 'declare' | 'attach' | 'init'> {
  readonly isHttp: true
  init?(conf: unknown, tree: HttpTree, scope: Scope): Steps<void> | void
  declare?(conf: unknown, tree: HttpTree, scope: Scope): void
  attach?(conf: unknown, plan: Plan, at: AttachContext): void
}

/** Defines a module; the types of its settings come from its directives. */
export function httpModule<const D extends Directives>(spec: HttpModuleSpec<D>): HttpModule {
  // Each hook is called with the settings resolved from the module's own directives, which is what its type says.
  return { ...spec, isHttp: true } as unknown as HttpModule
}

/** Tells http modules from the rest of the module list. */
export function isHttpModule(module: ConfigModule): module is HttpModule {
  return (module as Partial<HttpModule>).isHttp === true
}
