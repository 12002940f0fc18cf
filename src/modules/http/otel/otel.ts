/**
 * ngx_otel_module: traces of requests for OpenTelemetry. Where nothing is traced there is no step. Ours are `otel_semconv
 * stable`, `otel_upstream_spans`, and an endpoint with a path, which gets OTLP over HTTP.
 */
import { flag, keyValue, none, oneOf, text } from '../../../config/args.ts'
import { type Args, block, type ConfOf, directive, directives } from '../../../config/directive.ts'
import { httpModule } from '../../../http/compile/module.ts'
import type { Request } from '../../../http/request/request.ts'
import { NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { SpanBatch } from '../../../lib/otlp.ts'
import { NGINX_VERSION } from '../../../lib/version.ts'
import { readTemplate, type Template, template } from '../../../value/template.ts'
import { collectorOf, exporterDirectives } from './collector.ts'
import { Exporter } from './exporter.ts'
import { tellRequest } from './spans.ts'
import { OTEL, type OtelConf, traceIdOf, traceOf } from './trace.ts'

const HSL = ['http', 'server', 'location'] as const
const EXPORTER = 'otel_exporter'
/** Attributes whose values are lists. */
const LISTS = /^http\.(?:request|response)\.header\./

const attribute: Args<{ readonly name: string; readonly value: Template }> = {
  syntax: 'name value',
  min: 2,
  max: 2,
  read: ([name, value], at) => ({ name: name!.text, value: readTemplate(value!, at) }),
}

const declared = {
  otel_exporter: block({ in: ['http'], args: none, opens: 'otel_exporter', doc: 'Where traces are sent to.' }),
  otel_resource_attr: directives({ in: ['http'], args: keyValue(), doc: 'Says more about this server.' }),
  otel_semconv: directive({
    in: ['http'],
    args: oneOf('stable', 'old'),
    default: 'old',
    doc: 'The names of attributes: as nginx has them, or those of the stable conventions. Viaduct only.',
  }),
  otel_service_name: directive({ in: ['http'], args: text('name'), doc: 'The name of this server in traces.' }),
  otel_span_attr: directives({ in: HSL, args: attribute, doc: 'Adds an attribute to spans of requests.' }),
  otel_span_name: directive({ in: HSL, args: template('name'), doc: 'The name of spans; else that of the location.' }),
  otel_trace: directive({
    in: HSL,
    args: template('on | off | $variable'),
    doc: 'Whether requests are traced; a variable means yes by `on` or `1`.',
  }),
  otel_trace_context: directive({
    in: HSL,
    args: oneOf('ignore', 'extract', 'inject', 'propagate'),
    default: 'ignore',
    doc: 'Takes traces over that clients have begun, tells back ends of ours, or both (`traceparent`, `tracestate`).',
  }),
  otel_upstream_spans: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Spans for each attempt with a back end, below that of the request. Viaduct only.',
  }),
}

/** The module list's entry. */
export const otelModule = httpModule({
  name: 'otel',
  doc: 'Traces for OpenTelemetry.',
  directives: { ...declared, ...exporterDirectives },
  variables: {
    otel_trace_id: traceIdOf,
    otel_span_id: (r) => traceOf(r).spanId,
    otel_parent_id: (r) => idText(traceOf(r).parentId),
    otel_parent_sampled: (r) => (traceOf(r).parentSampled ? '1' : '0'),
  },
  init(conf, tree) {
    const [first, second] = conf.otel_exporter
    if (second !== undefined) tree.fail('"otel_exporter" directive is duplicate', second.at)
    const collector = first && collectorOf(first, tree)
    if (first === undefined || collector === undefined) return
    const { batch_size, batch_count, interval } = first.scope.resolve(exporterDirectives)
    const resource = SpanBatch.resourceOf(resourceOf(conf))
    const scope = SpanBatch.scopeOf('nginx', NGINX_VERSION)
    const options = { batchSize: batch_size, batchCount: batch_count, intervalMs: interval, resource, scope }
    const exporter = tree.shared(EXPORTER, () => new Exporter(collector, options, tree.log))
    if (tree.role !== 'worker') return
    tree.onExit(() => exporter.close())
    tree.onLeave((done) => exporter.leave(done))
  },
  attach(conf, plan, at) {
    const { otel_trace: trace, otel_trace_context: context } = conf
    const exporter = at.shared<Exporter | undefined>(EXPORTER, () => undefined)
    if (exporter === undefined && trace !== undefined) at.fail('"otel_exporter" block is missing', trace.at)
    if (exporter === undefined && context === 'ignore') return
    const { location } = at
    const otel: OtelConf = {
      exporter,
      trace: trace === undefined ? undefined : at.text(trace),
      extract: context === 'extract' || context === 'propagate',
      inject: context === 'inject' || context === 'propagate',
      spanName: conf.otel_span_name === undefined ? undefined : at.text(conf.otel_span_name),
      attributes: conf.otel_span_attr.map(({ name, value }) => ({
        name,
        isList: LISTS.test(name),
        value: at.text(value),
      })),
      stable: conf.otel_semconv === 'stable',
      upstreamSpans: conf.otel_upstream_spans,
    }
    location.set(OTEL, otel)
    if (exporter !== undefined) plan.log(tellRequest, otel)
    if (location.pseudo || (context === 'ignore' && (trace === undefined || trace.constant === 'off'))) return
    // Rules of the server are run before a location is known; a request that finds none has no rules of its own.
    if (location === at.server.base) plan.preaccess(begin, otel)
    else plan.rewrite(begin, otel)
  },
})

function resourceOf(conf: ConfOf<typeof declared>): Map<string, string> {
  const { otel_resource_attr: given, otel_service_name: name } = conf
  const all = new Map(given.map(({ key, value }) => [key, value]))
  if (name !== undefined) all.set('service.name', name)
  else if (!all.has('service.name')) all.set('service.name', 'unknown_service:nginx')
  return all
}

function idText(id: string): string | undefined {
  return id === '' ? undefined : id
}

/** Decides whether the request is traced. Internal redirects do not decide again. */
function begin(r: Request, conf: OtelConf): Verdict {
  if (r.internal) return NEXT
  const wanted = conf.trace === undefined ? '' : conf.trace(r)
  const sampled = wanted === 'on' || wanted === '1'
  if (!sampled && !conf.extract && !conf.inject) return NEXT
  const trace = traceOf(r)
  trace.sampled = sampled
  if (conf.inject) trace.inject()
  return NEXT
}
