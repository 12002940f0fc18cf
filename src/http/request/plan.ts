/**
 * What a location does, decided when the configuration loads: one flat list of steps for the phases, one of header
 * filters and one for the log. A module that is off is in none of them.
 */
import type { Getter as GetterOf, Text as TextOf } from '../../value/variables.ts'
import type { Request } from './request.ts'
import type { Verdict } from './verdict.ts'

/** Runs one step; `conf` is what the module prepared when it attached. */
export type Handler<C> = (r: Request, conf: C) => Verdict
/** Changes the response head before it is sent, and may put a filter in front of `r.body`. */
export type HeaderFilter<C> = (r: Request, conf: C) => void

/** What stands behind a message about a request. */
export type Tagger<C> = (r: Request, conf: C) => string

/** One step of a plan. */
export interface Step {
  readonly run: Handler<never>
  readonly conf: unknown
}

/** One header filter, or one step of the log phase. */
export interface FilterStep {
  readonly run: HeaderFilter<never>
  readonly conf: unknown
}

/** A compiled template, asked of requests. */
export type Text = TextOf<Request>
/** A variable, asked of requests. */
export type Getter = GetterOf<Request>

/** One addition to messages. */
export interface TagStep {
  readonly run: Tagger<never>
  readonly conf: unknown
}

/** The phases in the order in which they run. */
const PHASES = ['postread', 'rewrite', 'preaccess', 'access', 'precontent', 'content'] as const
/** The name of a phase. */
export type Phase = (typeof PHASES)[number]

/** Collects the steps of one location while modules attach to it. */
export class Plan {
  readonly phases: { readonly [P in Phase]: Step[] } = {
    postread: [],
    rewrite: [],
    preaccess: [],
    access: [],
    precontent: [],
    content: [],
  }
  readonly headerFilters: FilterStep[] = []
  readonly logSteps: FilterStep[] = []
  readonly endSteps: FilterStep[] = []
  readonly tagSteps: TagStep[] = []
  /** The one handler that owns the location (`proxy_pass`): when set, no content step runs. */
  handler: Step | undefined
  /** Responses may have bodies of subrequests in them: their order must be kept. */
  subrequests = false
  /** True when a request for the location's name without its last slash is redirected (`proxy_pass` and its kin). */
  autoRedirect = false

  #add<C>(phase: Phase, run: Handler<C>, conf: C): void {
    this.phases[phase].push({ run: run as Handler<never>, conf })
  }
  /** Runs first, once, at server level: `realip`. */
  postread<C>(run: Handler<C>, conf: C): void {
    this.#add('postread', run, conf)
  }
  /** Runs for server and location rewrite rules; sees each round of `rewrite`. */
  rewrite<C>(run: Handler<C>, conf: C): void {
    this.#add('rewrite', run, conf)
  }
  /** Runs before access control: limits. */
  preaccess<C>(run: Handler<C>, conf: C): void {
    this.#add('preaccess', run, conf)
  }
  /** Runs under `satisfy`: NEXT neither allows nor denies, ALLOWED allows, 401 and 403 deny. */
  access<C>(run: Handler<C>, conf: C): void {
    this.#add('access', run, conf)
  }
  /** Runs before content: `try_files`, `mirror`. */
  precontent<C>(run: Handler<C>, conf: C): void {
    this.#add('precontent', run, conf)
  }
  /** One of the candidates that answer in turn: index, autoindex, static. */
  content<C>(run: Handler<C>, conf: C): void {
    this.#add('content', run, conf)
  }
  /** Makes `run` the owner of the location's content. */
  own<C>(run: Handler<C>, conf: C): void {
    this.handler = { run: run as Handler<never>, conf }
  }
  headerFilter<C>(run: HeaderFilter<C>, conf: C): void {
    this.headerFilters.push({ run: run as HeaderFilter<never>, conf })
  }
  log<C>(run: HeaderFilter<C>, conf: C): void {
    this.logSteps.push({ run: run as HeaderFilter<never>, conf })
  }
  /** Runs when the response to a main request is out or given up, before it is logged. */
  end<C>(run: HeaderFilter<C>, conf: C): void {
    this.endSteps.push({ run: run as HeaderFilter<never>, conf })
  }
  /** Says more about the request behind each message about it. */
  tag<C>(run: Tagger<C>, conf: C): void {
    this.tagSteps.push({ run: run as Tagger<never>, conf })
  }
}
