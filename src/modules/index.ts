/** The one ordered list of modules. The order decides the order of handlers within a phase and of header filters. */
import type { ConfigModule } from '../config/load.ts'
import { errorLogModule } from './core/error-log.ts'
import { eventsModule } from './core/events.ts'
import { mainModule } from './core/main.ts'
import { coreModule } from './http/core.ts'
import { headersModule } from './http/headers.ts'
import { indexModule } from './http/index-file.ts'
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
  upstreamModule,
  rewriteModule,
  serverIfModule,
  openFileCacheModule,
  indexModule,
  staticModule,
  proxyModule,
  notModifiedModule,
  headersModule,
  rangeModule,
]
void errorLogModule
