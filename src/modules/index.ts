/** The one ordered list of modules. The order decides the order of handlers within a phase and of header filters. */
import type { ConfigModule } from '../config/load.ts'
import { eventsModule } from './core/events.ts'
import { mainModule } from './core/main.ts'
import { accessModule } from './http/access.ts'
import { additionModule } from './http/addition.ts'
import { apiModule } from './http/api/api.ts'
import { authBasicModule } from './http/auth-basic.ts'
import { authJwtModule } from './http/auth-jwt/auth-jwt.ts'
import { authOidcModule } from './http/auth-oidc/auth-oidc.ts'
import { authRequestModule } from './http/auth-request.ts'
import { authRequireModule } from './http/auth-require.ts'
import { autoindexModule } from './http/autoindex/autoindex.ts'
import { browserModule } from './http/browser.ts'
import { charsetModule } from './http/charset/charset.ts'
import { compressionModule } from './http/compression/compression.ts'
import { storedFormsModule } from './http/compression/stored-forms.ts'
import { coreModule } from './http/core/core.ts'
import { dashboardModule } from './http/dashboard.ts'
import { davModule } from './http/dav/dav.ts'
import { earlyBodyModule } from './http/early-body.ts'
import { echoModule } from './http/echo.ts'
import { emptyGifModule } from './http/empty-gif.ts'
import { errorLogTagModule } from './http/error-log-tag.ts'
import { fancyindexModule } from './http/fancyindex/fancyindex.ts'
import { fastcgiModule } from './http/fastcgi/fastcgi.ts'
import { flvModule } from './http/flv.ts'
import { geoModule } from './http/geo.ts'
import { geoip2Module } from './http/geoip2.ts'
import { grpcModule } from './http/grpc/grpc.ts'
import { gunzipModule } from './http/gunzip.ts'
import { headersModule } from './http/headers.ts'
import { headersMoreInputModule } from './http/headers-more/input.ts'
import { headersMoreModule } from './http/headers-more/output.ts'
import { imageFilterModule } from './http/image-filter/image-filter.ts'
import { indexModule } from './http/index-file.ts'
import { internalRedirectModule } from './http/internal-redirect.ts'
import { keyvalModule } from './http/keyval.ts'
import { limitConnModule } from './http/limit-conn.ts'
import { limitRateModule } from './http/limit-rate.ts'
import { limitReqModule } from './http/limit-req.ts'
import { logModule } from './http/log/log.ts'
import { sessionLogModule } from './http/log/session-log.ts'
import { mapModule } from './http/map.ts'
import { memcachedModule } from './http/memcached.ts'
import { metricsModule } from './http/metrics/metrics.ts'
import { mirrorModule } from './http/mirror.ts'
import { mp4Module } from './http/mp4/mp4.ts'
import { notModifiedModule } from './http/not-modified.ts'
import { numMapModule } from './http/num-map.ts'
import { openFileCacheModule } from './http/open-file-cache.ts'
import { otelModule } from './http/otel/otel.ts'
import { postActionModule } from './http/post-action.ts'
import { postponeModule } from './http/postpone.ts'
import { proxyModule } from './http/proxy/proxy.ts'
import { randomIndexModule } from './http/random-index.ts'
import { rangeModule } from './http/range.ts'
import { realipModule } from './http/realip.ts'
import { refererModule } from './http/referer.ts'
import { rewriteModule, serverIfModule } from './http/rewrite/rewrite.ts'
import { scgiModule } from './http/scgi/scgi.ts'
import { secureLinkModule } from './http/secure-link.ts'
import { sliceModule } from './http/slice.ts'
import { splitClientsModule } from './http/split-clients.ts'
import { ssiModule } from './http/ssi/ssi.ts'
import { sslModule } from './http/ssl/ssl.ts'
import { staticModule } from './http/static.ts'
import { statusRequestsModule } from './http/status-requests.ts'
import { statusZoneModule } from './http/status-zone.ts'
import { stubStatusModule } from './http/stub-status.ts'
import { subFilterModule } from './http/sub-filter.ts'
import { subsFilterModule } from './http/subs-filter.ts'
import { tryFilesModule } from './http/try-files.ts'
import { tunnelModule } from './http/tunnel.ts'
import { upstreamModule } from './http/upstream/upstream.ts'
import { useridModule } from './http/userid.ts'
import { uwsgiModule } from './http/uwsgi/uwsgi.ts'
import { v2Module } from './http/v2.ts'
import { vhostTrafficStatusModule } from './http/vhost-traffic-status/vhost-traffic-status.ts'

export const modules: readonly ConfigModule[] = [
  mainModule,
  eventsModule,
  coreModule,
  v2Module,
  logModule,
  sessionLogModule,
  upstreamModule,
  sslModule,
  realipModule,
  earlyBodyModule,
  geoModule,
  geoip2Module,
  mapModule,
  keyvalModule,
  numMapModule,
  splitClientsModule,
  refererModule,
  browserModule,
  secureLinkModule,
  otelModule,
  rewriteModule,
  serverIfModule,
  headersMoreInputModule,
  accessModule,
  authBasicModule,
  authOidcModule,
  authJwtModule,
  authRequireModule,
  authRequestModule,
  internalRedirectModule,
  tryFilesModule,
  mirrorModule,
  limitReqModule,
  limitConnModule,
  openFileCacheModule,
  emptyGifModule,
  echoModule,
  stubStatusModule,
  statusZoneModule,
  statusRequestsModule,
  apiModule,
  metricsModule,
  dashboardModule,
  vhostTrafficStatusModule,
  mp4Module,
  flvModule,
  randomIndexModule,
  indexModule,
  fancyindexModule,
  autoindexModule,
  davModule,
  storedFormsModule,
  staticModule,
  proxyModule,
  fastcgiModule,
  uwsgiModule,
  scgiModule,
  grpcModule,
  memcachedModule,
  tunnelModule,
  postActionModule,
  errorLogTagModule,
  sliceModule,
  notModifiedModule,
  headersMoreModule,
  headersModule,
  useridModule,
  gunzipModule,
  additionModule,
  subsFilterModule,
  subFilterModule,
  imageFilterModule,
  charsetModule,
  ssiModule,
  postponeModule,
  compressionModule,
  rangeModule,
  limitRateModule,
]
