/** The one ordered list of modules. The order is nginx's: it decides the order of handlers within a phase. */
import { none, raw } from '../config/args.ts'
import { block, directives } from '../config/directive.ts'
import type { ConfigModule } from '../config/load.ts'
import { errorLogModule } from './core/error-log.ts'
import { eventsModule } from './core/events.ts'
import { mainModule } from './core/main.ts'

const httpModule: ConfigModule = {
  name: 'http',
  directives: {
    http: block({ in: ['main'], args: none, opens: 'http', doc: 'Holds the directives about HTTP.' }),
    server: block({ in: ['http'], args: none, opens: 'server', doc: 'Describes a server.' }),
    listen: directives({ in: ['server'], args: raw('address', { min: 1 }), doc: 'Sets an address to listen on.' }),
  },
}

export const modules: readonly ConfigModule[] = [mainModule, errorLogModule, eventsModule, httpModule]
