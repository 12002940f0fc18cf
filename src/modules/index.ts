/** The one ordered list of modules. The order decides the order of handlers within a phase and of header filters. */
import type { ConfigModule } from '../config/load.ts'
import { errorLogModule } from './core/error-log.ts'
import { eventsModule } from './core/events.ts'
import { mainModule } from './core/main.ts'
import { coreModule } from './http/core.ts'

export const modules: readonly ConfigModule[] = [mainModule, eventsModule, coreModule]
void errorLogModule
