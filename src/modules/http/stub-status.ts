/** ngx_http_stub_status_module: a page with the numbers of connections and requests, for monitoring. */
import { type Args, directive } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import { GET, HEAD } from '../../http/message/method.ts'
import type { Request } from '../../http/request/request.ts'
import type { Verdict } from '../../http/request/verdict.ts'
import { sendBytes } from '../../http/response/send-text.ts'
import { COUNTERS_SIZE, connectionCounters } from '../../http/server/connection-counters.ts'

/** nginx before 1.7.5 wanted a word here. */
const optionalWord: Args<true> = { syntax: '', min: 0, max: 1, read: () => true }

const directives = {
  stub_status: directive({
    in: ['server', 'location'],
    args: optionalWord,
    inheritance: 'pseudo',
    duplicate: false,
    doc: 'Answers with the numbers of connections and requests.',
  }),
}

/** The module list's entry. */
export const stubStatusModule = httpModule({
  name: 'http_stub_status',
  doc: 'Numbers of connections and requests.',
  directives,
  variables: {
    connections_active: () => String(connectionCounters.active),
    connections_reading: () => String(connectionCounters.reading),
    connections_writing: () => String(connectionCounters.writing),
    connections_waiting: () => String(connectionCounters.waiting),
  },
  init(_conf, tree) {
    const buffer = tree.zone('connections of all workers', COUNTERS_SIZE, 'http_stub_status')
    if (buffer !== undefined && tree.role === 'worker') connectionCounters.share(buffer, tree.workerId)
  },
  attach(conf, plan) {
    if (conf.stub_status === true) plan.own(sendStatus, undefined)
  },
})

function sendStatus(r: Request): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  const { active, accepted, handled, requests, reading, writing, waiting } = connectionCounters
  const text =
    `Active connections: ${active} \nserver accepts handled requests\n ${accepted} ${handled} ${requests} \n` +
    `Reading: ${reading} Writing: ${writing} Waiting: ${waiting} \n`
  return sendBytes(r, 200, Buffer.from(text, 'latin1'), 'text/plain')
}
