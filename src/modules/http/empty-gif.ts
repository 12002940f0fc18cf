/** ngx_http_empty_gif_module: a transparent picture of one pixel, for pages that count their readers. */
import { none } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { GET, HEAD } from '../../http/message/method.ts'
import type { Request } from '../../http/request/request.ts'
import type { Verdict } from '../../http/request/verdict.ts'
import { sendBytes } from '../../http/response/send-text.ts'

const PICTURE = Buffer.from('R0lGODlhAQABAIABAAAAAP///yH5BAEAAAEALAAAAAABAAEAAAICTAEAOw==', 'base64')
/** nginx's: 28 September 1970, 06:00:00 GMT. */
const MODIFIED = 23349600

const directives = {
  empty_gif: directive({ in: ['location'], args: none, inheritance: 'pseudo', doc: 'Answers with an empty picture.' }),
}

/** The module list's entry. */
export const emptyGifModule = httpModule({
  name: 'http_empty_gif',
  doc: 'An empty picture.',
  directives,
  attach(conf, plan) {
    if (conf.empty_gif === true) plan.own(sendPicture, undefined)
  },
})

function sendPicture(r: Request): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  r.out.lastModified = MODIFIED
  return sendBytes(r, 200, PICTURE, 'image/gif')
}
