/** `status_zone` (NGINX Plus): where requests are counted for its API. */
import { words } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'

/** The module list's entry. */
export const statusZoneModule = httpModule({
  name: 'http_status_zone',
  doc: 'Counters for an API.',
  directives: {
    status_zone: directive({
      in: ['server', 'location', 'if'],
      args: words('zone', { max: 2 }),
      doc: 'A name under which requests are counted.',
      withoutEffect: 'There is no API yet that tells what is counted.',
    }),
  },
})
