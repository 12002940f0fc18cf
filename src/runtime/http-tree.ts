/**
 * Compiles the `http` block: settings in, servers and locations with their plans out. Runs in the master (to find every
 * mistake before anything is replaced) and in each worker (to serve).
 */
import type { Config, ConfigModule } from '../config/load.ts'
import type { Scope } from '../config/scope.ts'
import type { VariableUses } from '../config/variable-uses.ts'
import { findLocation } from '../http/compile/find-location.ts'
import { type AttachContext, type HttpModule, isHttpModule } from '../http/compile/module.ts'
import { noValue } from '../http/compile/no-value.ts'
import { accessSteps, afterRewrite, contentMissing, handlerStranded } from '../http/compile/phases.ts'
import { LocationConf, LocationTree, ServerConf } from '../http/request/location.ts'
import { Plan, type Step } from '../http/request/plan.ts'
import type { Request } from '../http/request/request.ts'
import { trace } from '../http/request/trace.ts'
import { ServerPlace } from '../http/server/listener.ts'
import { core, structure } from '../http/settings/core-directives.ts'
import type { ServerName } from '../http/settings/core-readers.ts'
import { lowerAscii } from '../lib/bytes.ts'
import { finish, type Steps } from '../lib/steps.ts'
import { type CheckedFacts, TreeBuilder, type TreeEnv } from '../tree/builder.ts'
import { type EndpointPlan, planEndpoints } from './endpoints.ts'

/** A compiled http block. */
export interface HttpTree {
  readonly endpoints: readonly EndpointPlan[]
  readonly builder: TreeBuilder<Request>
}

/** Compiles; problems go to the environment's diagnostics. Undefined when there is no `http` block. */
export function* compileHttp(
  config: Config,
  modules: readonly ConfigModule[],
  env: TreeEnv,
): Steps<HttpTree | undefined> {
  const [http] = config.main.resolve(structure).http
  if (http === undefined) return undefined
  return yield* new HttpCompiler(http.scope as Scope, modules.filter(isHttpModule), env, config.uses).compile()
}

/** Contexts whose blocks belong to the location tree. */
const TREE_CONTEXTS: ReadonlySet<string> = new Set(['http', 'server', 'server_if', 'location', 'if', 'limit_except'])

interface Attaching {
  readonly module: HttpModule
  /** Settings that it was attached with in some location. */
  readonly attached: Set<unknown>
}

class HttpCompiler {
  readonly #scope: Scope
  readonly #modules: readonly HttpModule[]
  /** Those that have a say about each block, and about each location. */
  readonly #declaring: readonly HttpModule[]
  readonly #attaching: readonly Attaching[]
  readonly #builder: TreeBuilder<Request>
  readonly #facts: CheckedFacts | undefined

  constructor(scope: Scope, modules: readonly HttpModule[], env: TreeEnv, uses: VariableUses) {
    this.#scope = scope
    this.#modules = modules
    this.#declaring = modules.filter((module) => module.declare !== undefined)
    this.#attaching = modules
      .filter((module) => module.attach !== undefined)
      .map((module) => ({ module, attached: new Set() }))
    this.#builder = new TreeBuilder<Request>(env, noValue, uses.of('http'))
    this.#facts = env.facts
  }

  *compile(): Steps<HttpTree> {
    let done = false
    try {
      const tree = yield* this.#compile()
      done = true
      return tree
    } finally {
      // Given up, for a newer configuration: what was opened on the way is closed.
      if (!done) for (const run of this.#builder.exitHooks) run()
    }
  }

  *#compile(): Steps<HttpTree> {
    const { variables } = this.#builder
    for (const module of this.#modules) {
      if (module.variables !== undefined) variables.builtin(module.variables)
      for (const [prefix, make] of Object.entries(module.prefixes ?? {})) variables.prefix(prefix, make)
    }
    for (const module of this.#modules) {
      const steps = module.init?.(this.#scope.resolve(module.directives), this.#builder, this.#scope)
      if (steps !== undefined) yield* steps
      yield
    }
    // Also those of blocks that are not read yet: others may name them.
    for (const { name, warns } of this.#facts?.variables ?? []) variables.settable(name, warns)
    yield* this.#declare(this.#scope)
    if (this.#facts === undefined) this.#builder.checkUses()
    const servers: { readonly place: ServerPlace; readonly scope: Scope }[] = []
    for (const block of this.#scope.resolve(structure).server) {
      const scope = block.scope as Scope
      const made = scope.isLate ? () => this.#lateServer(scope) : yield* this.#server(scope)
      servers.push({ place: new ServerPlace(made), scope })
    }
    yield* this.#builder.finish()
    return { endpoints: yield* planEndpoints(servers, this.#builder), builder: this.#builder }
  }

  /** A server of a checked configuration whose first request has come. */
  #lateServer(scope: Scope): ServerConf {
    scope.read()
    finish(this.#declare(scope))
    const server = finish(this.#server(scope))
    finish(this.#builder.finish())
    return server
  }

  *#declare(scope: Scope): Steps<void> {
    yield
    for (const module of this.#declaring) {
      module.declare?.(scope.resolve(module.directives), this.#builder, scope)
    }
    const { location, server_name } = scope.resolve(structure)
    for (const block of location)
      if (block.args.pattern !== undefined) this.#builder.pattern(block.args.pattern, block.at)
    for (const name of server_name.flat()) {
      if (name.kind === 'regex') this.#builder.pattern(name.pattern, name.at)
    }
    for (const child of scope.children) {
      if (TREE_CONTEXTS.has(child.context) && !child.isLate) yield* this.#declare(child)
    }
  }

  *#server(scope: Scope): Steps<ServerConf> {
    const names = scope.resolve(structure).server_name.flat()
    const base = new LocationConf('', scope.resolve(core), scope)
    const server = new ServerConf(firstName(names), base)
    base.server = server
    const plan = this.#attach(base, server)
    // A request that no location is for is served by the settings of the server.
    base.steps = answerSteps(plan, base)
    const find: Step = { run: findLocation as Step['run'], conf: server }
    server.startSteps = [...plan.phases.postread, ...plan.phases.rewrite, find]
    server.rewriteAt = plan.phases.postread.length
    server.findAt = server.startSteps.length - 1
    const locations = yield* this.#locations(scope, server, undefined)
    // Elsewhere all is checked now, and nobody will ask.
    if (this.#builder.role === 'worker') server.locations = locations
    else server.named.clear()
    return server
  }

  *#locations(scope: Scope, server: ServerConf, parent: LocationConf | undefined): Steps<LocationTree> {
    const list: LocationConf[] = []
    const names = new Set<string>()
    for (const { args: head, scope: inner, at } of scope.resolve(structure).location) {
      const key = `${head.kind === 'exact' ? '=' : head.kind === 'regex' ? '~' : ''} ${head.name}`
      if (head.kind !== 'regex' && head.kind !== 'named' && names.has(key))
        this.#builder.fail(`duplicate location "${head.name}"`, at)
      names.add(key)
      const location = new LocationConf(head.name, inner.resolve(core), inner as Scope)
      location.exact = head.kind === 'exact'
      location.noRegex = head.kind === 'noregex'
      if (head.pattern !== undefined) location.regex = this.#builder.pattern(head.pattern)
      if (parent !== undefined) this.#checkNested(parent, location, head.kind, at)
      location.server = server
      location.outer = parent
      this.#compileLocation(location, server)
      yield
      location.inner = yield* this.#locations(inner as Scope, server, location)
      if (head.kind !== 'named') list.push(location)
      // nginx lets a name stand twice; the first one is found.
      else if (!server.named.has(head.name)) server.named.set(head.name, location)
    }
    return new LocationTree(list)
  }

  #checkNested(parent: LocationConf, location: LocationConf, kind: string, at: Scope['at']): void {
    const place = `location "${location.name}"`
    if (parent.exact) this.#builder.fail(`${place} cannot be inside the exact location "${parent.name}"`, at)
    else if (parent.name.startsWith('@')) {
      this.#builder.fail(`${place} cannot be inside the named location "${parent.name}"`, at)
    } else if (kind === 'named') {
      this.#builder.fail(`named ${place} can be on the server level only`, at)
    } else if (kind !== 'regex' && !location.name.startsWith(parent.name)) {
      this.#builder.fail(`${place} is outside location "${parent.name}"`, at)
    }
  }

  #compileLocation(location: LocationConf, server: ServerConf): void {
    const plan = this.#attach(location, server)
    const { rewrite } = plan.phases
    if (rewrite.length > 0) location.rewriteSteps = [...rewrite, { run: afterRewrite as Step['run'], conf: undefined }]
    location.steps = answerSteps(plan, location)
    location.autoRedirect = plan.autoRedirect
    location.handled = plan.handler !== undefined
    if (location.pseudo && !location.handled) {
      location.stranded = location.withSteps(answerSteps(plan, location, [handlerStranded]))
    }
  }

  #attach(location: LocationConf, server: ServerConf): Plan {
    const plan = new Plan()
    const context: AttachContext = Object.assign(Object.create(this.#builder) as TreeBuilder<Request>, {
      location,
      server,
      scope: location.scope,
      pseudo: (scope: Scope) => this.#pseudo(scope, location, server),
    })
    const { scope, pseudo } = location
    // A location that says nothing about a module has the settings of others, the same object. The master only looks
    // for mistakes, and has looked there.
    const checks = this.#builder.role === 'master' && location !== server.base && !pseudo
    for (const { module, attached } of this.#attaching) {
      const conf = scope.resolve(module.directives)
      if (checks) {
        if (attached.has(conf)) continue
        attached.add(conf)
      }
      module.attach?.(conf, plan, context)
      if (trace !== undefined) trace.attached(module.name, plan, location)
    }
    location.headerFilters = plan.headerFilters
    location.logSteps = plan.logSteps
    location.endSteps = plan.endSteps
    location.tagSteps = plan.tagSteps
    return plan
  }

  /** An `if` or `limit_except` block: the settings of its place with some changed. */
  #pseudo(scope: Scope, outer: LocationConf, server: ServerConf): LocationConf {
    const location = new LocationConf(outer.name, scope.resolve(core), scope)
    location.pseudo = true
    location.outer = outer
    location.exact = outer.exact
    location.noRegex = outer.noRegex
    location.regex = outer.regex
    location.server = server
    this.#compileLocation(location, server)
    return location
  }
}

/** What follows the rewrite rules. */
function answerSteps(plan: Plan, location: LocationConf, answer = answerOf(plan)): Step[] {
  const { preaccess, access, precontent } = plan.phases
  return [...preaccess, ...accessSteps(access, location.core.satisfy), ...precontent, ...answer]
}

function answerOf({ handler, phases }: Plan): readonly Step[] {
  return handler === undefined ? [...phases.content, contentMissing] : [handler]
}

/** `$server_name`: in lower case and without a dot before it, but for a regular expression, which stays as it is. */
function firstName([first]: readonly ServerName[]): string {
  if (first === undefined) return ''
  if (first.kind === 'regex') return first.text
  const name = lowerAscii(first.text === '$hostname' ? first.name : first.text)
  return name.startsWith('.') ? name.slice(1) : name
}
