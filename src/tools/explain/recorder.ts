/** Writes down what happens to a request, in the order in which it happens. */
import type { Position } from '../../config/source.ts'
import type { FileEntry } from '../../http/files/file-entry.ts'
import type { LocationConf, ServerConf } from '../../http/request/location.ts'
import type { FilterStep, Phase, Plan, Step } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import type { Asked, Trace } from '../../http/request/trace.ts'
import { DONE, NEXT, type Verdict, WAIT } from '../../http/request/verdict.ts'

/** One thing that happened. */
export interface Told {
  readonly kind:
    | 'decision'
    | 'location'
    | 'file'
    | 'redirect'
    | 'status'
    | 'handler'
    | 'field'
    | 'back end'
    | 'message'
    | 'refused'
  readonly text: string
  /** The directive, where there is one. */
  readonly at: Position | undefined
  /** 0 for the client's request, 1 for its subrequests ... */
  readonly depth: number
  readonly location: LocationConf
  readonly asked?: Asked
  /** Level of an error log. */
  readonly level?: number
  /** Who changed a field of the response. */
  readonly module?: string
  /** What the search for a location came to. */
  readonly outcome?: number
}

interface StepFacts {
  readonly module: string
  readonly phase: Phase | 'handler' | 'filter'
}

const PHASES: readonly Phase[] = ['postread', 'rewrite', 'preaccess', 'access', 'precontent', 'content']
/** Modules whose steps change something beyond the response, unless the method is one of these. */
const CHANGING: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['http_dav', new Set(['GET', 'HEAD', 'OPTIONS', 'POST'])],
  ['http_api', new Set(['GET', 'HEAD', 'OPTIONS'])],
  // It asks the provider, and begins a login.
  ['http_oidc', new Set()],
])

/** Whose step is whose: servers that were compiled for one request serve others, too. */
const steps = new WeakMap<object, StepFacts>()

/** The record of one request. */
export class Recorder implements Trace {
  told: Told[] = []
  /** The request that the client sent, once it has been seen. */
  request: Request | undefined
  /** Called when the client's request has been answered, before it is forgotten. */
  onEnd: (r: Request) => void = () => {}
  /** Something was left out because it would have changed something: the request has no end. */
  stopped = false
  onStop: () => void = () => {}
  #fields: readonly string[] = []

  #tell(r: Request, kind: Told['kind'], text: string, more: Partial<Told> = {}): void {
    let depth = 0
    for (let at: Request | undefined = r.parent; at !== undefined; at = at.parent) depth++
    if (depth === 0) this.request = r
    this.told.push({ kind, text, at: undefined, depth, location: r.location, ...more })
  }

  attached(module: string, plan: Plan): void {
    const note = (step: Step | FilterStep, phase: StepFacts['phase']): void => {
      if (!steps.has(step)) steps.set(step, { module, phase })
    }
    for (const phase of PHASES) for (const step of plan.phases[phase]) note(step, phase)
    if (plan.handler !== undefined) note(plan.handler, 'handler')
    for (const step of plan.headerFilters) note(step, 'filter')
  }

  /** Access steps are wrapped by the compiler. */
  #factsOf(step: Step | FilterStep): StepFacts | undefined {
    const { conf } = step
    return steps.get(step) ?? (typeof conf === 'object' && conf !== null ? steps.get(conf) : undefined)
  }

  enter(r: Request, step: Step): boolean {
    const facts = this.#factsOf(step)
    if (facts === undefined) return true
    const harmless = CHANGING.get(facts.module)
    if (harmless !== undefined && !harmless.has(r.method)) {
      this.#tell(r, 'refused', `${facts.module} would carry out ${r.method} ${r.uri}: not done here`)
      this.stopped = true
      this.onStop()
      return false
    }
    if (facts.phase === 'handler') this.#tell(r, 'handler', facts.module)
    return true
  }

  leave(r: Request, step: Step, verdict: Verdict): void {
    const facts = this.#factsOf(step)
    if (facts === undefined || verdict === NEXT) return
    if (facts.phase === 'content' && verdict === DONE) this.#tell(r, 'handler', facts.module)
    else if (verdict > 0 && verdict !== DONE && verdict !== WAIT && facts.phase !== 'rewrite') {
      this.#tell(r, 'decision', `${facts.module} answers ${verdict}`)
    }
  }

  decided(r: Request, at: Position | undefined, text: string): void {
    this.#tell(r, 'decision', text, { at })
  }

  located(r: Request, server: ServerConf, outcome: number): void {
    this.#tell(r, 'location', r.uri, { at: r.location === server.base ? undefined : r.location.scope.at, outcome })
  }

  looked(r: Request, entry: FileEntry): void {
    const what =
      entry.error !== '' ? entry.error : entry.isFolder ? 'a folder' : entry.isFile ? 'a file' : 'no regular file'
    this.#tell(r, 'file', `${entry.path}: ${what}`)
  }

  redirected(r: Request, target: string): void {
    this.#tell(r, 'redirect', target)
  }

  answering(r: Request, status: number): void {
    this.#tell(r, 'status', String(status))
  }

  filtered(r: Request, filter: FilterStep): void {
    const fields = fieldsOf(r)
    const before = this.#fields
    const module = this.#factsOf(filter)?.module ?? ''
    for (const field of fields) if (!before.includes(field)) this.#tell(r, 'field', `+ ${field}`, { module })
    for (const field of before) if (!fields.includes(field)) this.#tell(r, 'field', `- ${field}`, { module })
    this.#fields = fields
  }

  asking(r: Request, asked: Asked): void {
    this.#fields = []
    this.#tell(r, 'back end', asked.url, { asked })
  }

  logged(r: Request, level: number, message: string): void {
    this.#tell(r, 'message', message, { level })
  }

  ended(r: Request): void {
    if (r === r.main) this.onEnd(r)
  }
}

/** What the head has so far that modules add, a line each. */
function fieldsOf({ out }: Request): string[] {
  const lines = out.lines.split('\r\n').filter((line) => line !== '')
  const listed = out.names.map((name, i) => `${name}: ${out.values[i]}`)
  const encoding = out.contentEncoding === '' ? [] : [`Content-Encoding: ${out.contentEncoding}`]
  return [...lines, ...listed, ...encoding]
}
