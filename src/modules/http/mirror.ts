/**
 * ngx_http_mirror_module: sends a copy of each request elsewhere, and does not care for the answer. In nginx the next
 * request of the connection waits for the copies; over HTTP/1 it does not here, up to a number of them.
 */
import { flag, text } from '../../config/args.ts'
import { directive, directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Request } from '../../http/request/request.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { Subrequest } from '../../http/subrequest/subrequest.ts'

const HSL = ['http', 'server', 'location'] as const

/** The module list's entry. */
export const mirrorModule = httpModule({
  name: 'http_mirror',
  doc: 'Copies of requests.',
  directives: {
    mirror: directives({
      in: HSL,
      args: text('uri | off'),
      alone: (uri) => uri === 'off',
      doc: 'Where copies of requests go.',
    }),
    mirror_request_body: directive({
      in: HSL,
      args: flag,
      default: 'on',
      doc: 'Reads the body of a request first and sends it with the copies.',
    }),
  },
  attach(conf, plan) {
    const { mirror } = conf
    if (mirror.length === 0 || mirror.includes('off')) return
    // The copies need the body as long as this request does.
    if (conf.mirror_request_body) plan.precontent(readBody, undefined)
    plan.precontent(sendCopies, mirror)
  },
})

function readBody(r: Request): Verdict {
  return r === r.main ? r.readBody(bodyRead) : NEXT
}

function bodyRead(): Verdict {
  return NEXT
}

function sendCopies(r: Request, uris: readonly string[]): Verdict {
  if (r !== r.main) return NEXT
  for (let i = 0; i < uris.length; i++) {
    const copy = new Subrequest(r, uris[i]!, r.args, undefined)
    copy.headOnly = true
    copy.copy = true
    copy.r.method = r.method
    copy.r.methodBit = r.methodBit
    if (!copy.start()) return 500
  }
  return NEXT
}
