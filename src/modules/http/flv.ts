/** ngx_http_flv_module: Flash videos from a byte on (`?start=`). */
import { none } from '../../config/args.ts'
import { directive } from '../../config/directive.ts'
import { parseOffset } from '../../config/units.ts'
import { httpModule } from '../../http/compile/module.ts'
import { argument } from '../../http/message/arguments.ts'
import type { Request } from '../../http/request/request.ts'
import { DONE, type Verdict } from '../../http/request/verdict.ts'
import { describeFile, openAsked } from '../../http/response/asked-file.ts'
import { sendFile, sendPartOfFile } from '../../http/response/send-file.ts'

/** Signature, version 1, audio and video, size of the header; then the size of the tag before the first. */
const HEADER = Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0])
const DIGITS = /^\d+$/

/** The module list's entry. */
export const flvModule = httpModule({
  name: 'http_flv',
  doc: 'Serves parts of Flash videos.',
  directives: {
    flv: directive({
      in: ['location'],
      args: none,
      inheritance: 'pseudo',
      doc: 'Serves Flash videos from byte `?start=` on.',
    }),
  },
  attach({ flv }, plan) {
    if (flv === true) plan.content(serve, undefined)
  },
})

function serve(r: Request): Verdict {
  const entry = openAsked(r)
  if (typeof entry === 'number') return entry
  const asked = argument(r.args, 'start') ?? ''
  const offset = DIGITS.test(asked) ? (parseOffset(asked) ?? 0) : 0
  const start = offset >= entry.size ? 0 : offset
  describeFile(r, entry, start === 0 ? entry.size : HEADER.length + entry.size - start)
  if (start === 0) sendFile(r, entry)
  else sendPartOfFile(r, entry, HEADER, { text: '', start, end: entry.size })
  return DONE
}
