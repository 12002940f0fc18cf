/** The one ordered list of modules. The order decides the order of handlers within a phase and of header filters. */
import type { ConfigModule } from '../config/load.ts'
import { errorLogModule } from './core/error-log.ts'
import { eventsModule } from './core/events.ts'
import { mainModule } from './core/main.ts'
import { coreModule } from './http/core.ts'
import { gunzipModule } from './http/gunzip.ts'
import { gzipModule } from './http/gzip.ts'
import { gzipStaticModule } from './http/gzip-static.ts'
import { headersModule } from './http/headers.ts'
import { indexModule } from './http/index-file.ts'
import { logModule } from './http/log.ts'
import { notModifiedModule } from './http/not-modified.ts'
import { openFileCacheModule } from './http/open-file-cache.ts'
import { proxyModule } from './http/proxy.ts'
import { rangeModule } from './http/range.ts'
import { rewriteModule, serverIfModule } from './http/rewrite.ts'
import { staticModule } from './http/static.ts'
import { upstreamModule } from './http/upstream.ts'

export const modules: readonly ConfigModule[] = [
  mainModule,
  eventsModule,
  coreModule,
  logModule,
  upstreamModule,
  rewriteModule,
  serverIfModule,
  openFileCacheModule,
  indexModule,
  gzipStaticModule,
  staticModule,
  proxyModule,
  notModifiedModule,
  headersModule,
  gunzipModule,
  gzipModule,
  rangeModule,
]
void errorLogModule
