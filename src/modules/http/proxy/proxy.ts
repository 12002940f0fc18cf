/**
 * ngx_http_proxy_module: passes requests to HTTP back ends. What is sent is compiled when the configuration loads: the
 * fields that are set, those of the client that are passed on, and how the URI is made. The conversation itself is the
 * exchange's (http/exchange/).
 */
import { type ConfOf, family, type ScopeView } from '../../../config/directive.ts'
import { cachePathDirectives } from '../../../http/cache/cache-path.ts'
import { cachesOf } from '../../../http/cache/caches.ts'
import { type AttachContext, type HttpTree, httpModule } from '../../../http/compile/module.ts'
import { compileSize } from '../../../http/compile/size.ts'
import { type CacheContext, checkZone, compileCache } from '../../../http/exchange/cache/conf.ts'
import { attachPurge } from '../../../http/exchange/cache/purge-place.ts'
import { storesInstead } from '../../../http/exchange/cache/store-or-cache.ts'
import { HTTP1 } from '../../../http/exchange/codecs/http1.ts'
import { HTTP2 } from '../../../http/exchange/codecs/http2.ts'
import { checkBlock } from '../../../http/exchange/compile/check-blocks.ts'
import { compileConnect, compileDenies, passOn, secured } from '../../../http/exchange/compile/passing.ts'
import { compileSsl, type SslTargets } from '../../../http/exchange/compile/ssl-targets.ts'
import { type ExchangeConf, hiddenFields, ignoreMask } from '../../../http/exchange/conf.ts'
import { cache } from '../../../http/exchange/directives/cache.ts'
import { ssl, sslConf } from '../../../http/exchange/directives/ssl.ts'
import { compileStore, store } from '../../../http/exchange/directives/store.ts'
import { transport, transportConf } from '../../../http/exchange/directives/transport.ts'
import { exchangeOf } from '../../../http/exchange/exchange.ts'
import { failureMask } from '../../../http/exchange/failure.ts'
import type { Plan } from '../../../http/request/plan.ts'
import { UpstreamRegistry } from '../../../upstream/registry.ts'
import type { Template } from '../../../value/template.ts'
import { notePassed } from './check.ts'
import { compileCookies, cookieDirectives } from './cookie.ts'
import { proxyDirectives } from './directives.ts'
import { compileRedirects } from './redirect.ts'
import { cacheKey, compileH2Request, compileRequest, forwardedFor } from './request.ts'
import { compileTarget, HTTPS, type ProxyTarget } from './target.ts'

const own = {
  ...family('proxy', transport),
  ...family('proxy', ssl),
  ...family('proxy', store),
  ...family('proxy', cache),
  ...family('proxy', cachePathDirectives),
}
const allDirectives = { ...proxyDirectives, ...cookieDirectives, ...own }
type Conf = ConfOf<typeof allDirectives>

/** Fields of a response that clients do not get unless `proxy_pass_header` says so. */
const HIDDEN = [
  'date',
  'server',
  'x-pad',
  'x-accel-expires',
  'x-accel-redirect',
  'x-accel-limit-rate',
  'x-accel-buffering',
  'x-accel-charset',
]

export const proxyModule = httpModule({
  name: 'http_proxy',
  doc: 'Passes requests to another server.',
  directives: allDirectives,
  variables: {
    proxy_host: { get: (r) => r.conversation?.targetHost || undefined, changeable: true },
    proxy_port: { get: (r) => r.conversation?.targetPort || undefined, changeable: true },
    proxy_add_x_forwarded_for: (r) => forwardedFor(r),
    proxy_internal_body_length: (r) => exchangeOf(r)?.sender.lengthText(),
    proxy_internal_chunked: (r) => (exchangeOf(r)?.sender.chunked === true ? 'chunked' : ''),
  },
  init(conf, tree) {
    cachesOf(tree).declare('proxy', conf.proxy_cache_path)
  },
  declare(_, tree, scope) {
    checkBlock('proxy', allDirectives, scope, tree)
    checkRedirects(scope, tree)
  },
  attach(conf, plan, at) {
    at.tempPath(conf.proxy_temp_path?.path ?? at.prefixed('proxy_temp'))
    checkZone('proxy', conf.proxy_cache, at)
    if (conf.proxy_pass !== undefined) attachProxy(conf, plan, at)
    attachPurge('proxy', conf.proxy_cache_purge, plan, at)
  },
})

/** The default one is made of the URL that stands before it. */
function checkRedirects(scope: ScopeView, tree: HttpTree): void {
  const { proxy_pass, proxy_redirect } = allDirectives
  let url: Template | undefined
  for (const line of scope.ordered({ proxy_pass, proxy_redirect })) {
    if (line.name === 'proxy_pass') url = line.value
    else if (line.value.kind !== 'default' || url?.constant !== undefined) continue
    else if (url === undefined) {
      tree.fail('"proxy_redirect default" should be placed after the "proxy_pass" directive', line.at)
    } else tree.fail('"proxy_redirect default" cannot be used with "proxy_pass" directive with variables', line.at)
  }
}

function attachProxy(conf: Conf, plan: Plan, at: AttachContext): void {
  const { location } = at
  const registry = at.shared('upstreams', () => new UpstreamRegistry())
  const target = compileTarget(conf.proxy_pass!, location, registry, at)
  if (target === undefined) return
  const tls = target.mayUseTls
    ? compileSsl('proxy', sslConf('proxy', conf), at, conf.proxy_http_version === '2' ? 'h2' : '')
    : undefined
  const exchangeConf = compileExchange(conf, target, tls, at)
  plan.own(passOn, exchangeConf)
  notePassed(conf, target, exchangeConf, tls, at)
  if (location.name.endsWith('/') && location.regex === undefined) plan.autoRedirect = true
}

function compileExchange(
  conf: Conf,
  target: ProxyTarget,
  tls: SslTargets | undefined,
  at: AttachContext,
): ExchangeConf {
  const settings = transportConf('proxy', conf)
  const { bind } = settings
  const setBody = conf.proxy_set_body === undefined ? undefined : at.text(conf.proxy_set_body)
  const rewrite = compileRedirects(conf.proxy_redirect, target, at)
  const two = conf.proxy_http_version === '2'
  const passes = (field: string): boolean => settings.pass_header.some((name) => name.toLowerCase() === field)
  const tempPath = settings.temp_path ?? { path: at.prefixed('proxy_temp'), levels: [1, 2] }
  const cacheContext: CacheContext = {
    prefix: 'proxy',
    bufferSize: settings.buffer_size,
    tempFolder: tempPath.path,
    key: (r, exchange) => cacheKey(r, target, exchange),
  }
  const stores = storesInstead('proxy', allDirectives, at.scope)
  const kept = stores ? undefined : compileCache(conf, cacheContext, at)
  const request = (two ? compileH2Request : compileRequest)(conf, target, setBody, kept !== undefined, at)
  return {
    protocol: two ? HTTP2 : HTTP1,
    intercept404: false,
    transport: settings,
    tag: `${at.server.name} ${at.location.name} ${bind?.source ?? ''}`,
    nextMask: failureMask(settings.next_upstream),
    scheme: target.scheme,
    passBody: settings.pass_request_body && setBody === undefined,
    passTrailers: conf.proxy_pass_trailers,
    chunkedAllowed: conf.proxy_http_version !== '1.0',
    ownBody: setBody !== undefined,
    tempPath,
    store: kept === undefined ? compileStore(conf.proxy_store, conf.proxy_store_access, at) : undefined,
    cache: kept,
    ignore: ignoreMask(settings.ignore_headers ?? []),
    hidden: hiddenFields(HIDDEN, settings.hide_header, settings.pass_header),
    onlyTheirDate: !two && passes('date'),
    onlyTheirServer: !two && passes('server'),
    aim: target.aim,
    resolve: target.resolve,
    request: secured(request, tls, HTTPS),
    rate: compileSize(settings.limit_rate, at),
    connectOptions: compileConnect(settings, tls !== undefined, at),
    denies: compileDenies(settings, at),
    perServer: settings.request_dynamic,
    rewriteRedirect: rewrite,
    rewriteCookie: compileCookies(conf, at),
  }
}
