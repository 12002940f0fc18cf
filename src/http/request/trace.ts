/**
 * Who is told how requests are decided: `viaduct explain`, which runs the phases of a configuration on one request. While
 * the server serves nobody is, and each place that could tell asks one variable of the thread.
 */
import type { Position } from '../../config/source.ts'
import type { FileEntry } from '../files/file-entry.ts'
import type { LocationConf, ServerConf } from './location.ts'
import type { FilterStep, Plan, Step } from './plan.ts'
import type { Request } from './request.ts'
import type { Verdict } from './verdict.ts'

/** What a back end would be asked. */
export interface Asked {
  readonly group: string
  /** The server that was chosen, as `$upstream_addr` names it. */
  readonly peer: string
  /** `http://127.0.0.1:8000/path`, as error logs have it. */
  readonly url: string
  /** The head as it is sent, one byte per char; of another protocol than HTTP/1 as its codec writes it. */
  readonly head: string
  /** The name that TLS asks for, empty when it asks for none; undefined: no TLS. */
  readonly tls: string | undefined
}

/** Receives what happens to requests, in the order in which it happens. */
export interface Trace {
  /** A module has put its steps for `location` into `plan`; those that were there before are another's. */
  attached(module: string, plan: Plan, location: LocationConf): void
  /** A step is about to run. False: it must not, since it would change something; the request ends there. */
  enter(r: Request, step: Step): boolean
  leave(r: Request, step: Step, verdict: Verdict): void
  /** Something was decided, in words; `at` is the directive that decided it. */
  decided(r: Request, at: Position | undefined, text: string): void
  /** The server chose `r.location`; `outcome` is LocationTree's. */
  located(r: Request, server: ServerConf, outcome: number): void
  /** The disk was asked for a file. */
  looked(r: Request, entry: FileEntry): void
  /** The walk goes on elsewhere: at a URI, or (with its `@`) in a named location. */
  redirected(r: Request, target: string): void
  /** A status is answered: by a page, unless `error_page` says otherwise. */
  answering(r: Request, status: number): void
  filtered(r: Request, filter: FilterStep): void
  asking(r: Request, asked: Asked): void
  logged(r: Request, level: number, message: string): void
  /** The response is out, or given up. */
  ended(r: Request): void
}

/** The one who is told; undefined while nobody is. */
export let trace: Trace | undefined

/** Tells `receiver` from now on, until it is called with undefined. */
export function traceTo(receiver: Trace | undefined): void {
  trace = receiver
}
