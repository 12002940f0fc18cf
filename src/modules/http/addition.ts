/** ngx_http_addition_filter_module: puts the answers to other URIs before and behind a response. */

import { text } from '../../config/args.ts'
import { directive, directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { BodyFilter, type BodySink, LAST } from '../../http/message/body.ts'
import { MimeSet, mimeTypes } from '../../http/message/mime-set.ts'
import type { Request } from '../../http/request/request.ts'
import { InPlaceSubrequest, orderedBody } from '../../http/subrequest/ordered-body.ts'
import { NO_BYTES } from '../../lib/bytes.ts'

const HSL = ['http', 'server', 'location'] as const
const OK = 200

interface AdditionConf {
  readonly before: string
  readonly after: string
  readonly types: MimeSet
}

/** The module list's entry. */
export const additionModule = httpModule({
  name: 'http_addition',
  doc: 'Text before and behind a response.',
  directives: {
    add_before_body: directive({ in: HSL, args: text('uri'), doc: 'What is put before a response; empty: nothing.' }),
    add_after_body: directive({ in: HSL, args: text('uri'), doc: 'What is put behind a response; empty: nothing.' }),
    addition_types: directives({
      in: HSL,
      args: mimeTypes(),
      doc: 'Media types of responses that get additions, beside text/html; `*` means all.',
    }),
  },
  attach(conf, plan) {
    const before = conf.add_before_body ?? ''
    const after = conf.add_after_body ?? ''
    if (before === '' && after === '') return
    plan.subrequests = true
    plan.headerFilter(addBodies, { before, after, types: new MimeSet(conf.addition_types, 'text/html') })
  },
})

function addBodies(r: Request, conf: AdditionConf): void {
  const { out } = r
  if (out.status !== OK || r !== r.main || !conf.types.has(out.contentType)) return
  out.transform()
  if (!r.headerOnly) r.addBodyFilter((next) => new AddedBodies(next, r, conf))
}

class AddedBodies extends BodyFilter {
  readonly #r: Request
  readonly #conf: AdditionConf
  #begun = false

  constructor(next: BodySink, r: Request, conf: AdditionConf) {
    super(next)
    this.#r = r
    this.#conf = conf
  }

  write(bytes: Uint8Array, flags: number): boolean {
    const { before, after } = this.#conf
    if (!this.#begun) {
      this.#begun = true
      if (before !== '' && !this.#add(before)) return true
    }
    if ((flags & LAST) === 0 || after === '') return this.next.write(bytes, flags)
    this.next.write(bytes, flags & ~LAST)
    return !this.#add(after) || this.next.write(NO_BYTES, LAST)
  }

  #add(uri: string): boolean {
    const r = this.#r
    if (new InPlaceSubrequest(r, orderedBody(r)!, uri, '').start()) return true
    r.breakOff()
    return false
  }
}
