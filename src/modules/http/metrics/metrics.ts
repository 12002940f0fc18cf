/**
 * `metrics`: a page for Prometheus and what understands it. The names of nginx-prometheus-exporter for `stub_status` and our own
 * ones are always there; `compat=plus` adds those that the exporter has for NGINX Plus, `compat=vts` those of
 * nginx-module-vts, so that dashboards that were made for these go on.
 */

import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { directive } from '../../../config/directive.ts'
import { type HttpTree, httpModule } from '../../../http/compile/module.ts'
import { hashName } from '../../../http/message/field-names.ts'
import { GET, HEAD } from '../../../http/message/method.ts'
import type { Request } from '../../../http/request/request.ts'
import type { Verdict } from '../../../http/request/verdict.ts'
import { sendBytes } from '../../../http/response/send-text.ts'
import { Exposition } from '../../../http/status/exposition.ts'
import { prepareStatus } from '../../../http/status/prepare.ts'
import { statusReadersOf } from '../../../http/status/readers.ts'
import { soundUtf8 } from '../../../lib/bytes.ts'
import { writeOwn } from './own.ts'
import { writePlus } from './plus.ts'
import { writeServer } from './server.ts'
import { writeVts } from './vts.ts'

const COMPAT = ['plus', 'vts'] as const
type Compat = (typeof COMPAT)[number]

const ACCEPT = hashName('accept')

const metricsArgs = mapped(raw('[compat=plus | vts | plus,vts]', { max: 1 }), ([word], _, at): readonly Compat[] => {
  if (word === undefined) return []
  if (!word.text.startsWith('compat=')) return at.fail(`invalid parameter "${word.text}"`, word)
  return word.text
    .slice('compat='.length)
    .split(',')
    .map(
      (name) => COMPAT.find((known) => known === name) ?? at.fail(`invalid names "${name}"`, word, COMPAT.join(', ')),
    )
})

interface Conf {
  readonly tree: HttpTree
  readonly compat: readonly Compat[]
}

/** The module list's entry. */
export const metricsModule = httpModule({
  name: 'http_metrics',
  doc: 'Numbers for Prometheus and OpenMetrics.',
  directives: {
    metrics: directive({
      in: ['location'],
      args: metricsArgs,
      inheritance: 'pseudo',
      doc: 'Answers with all numbers as text for Prometheus, with further names for dashboards that are there already.',
    }),
  },
  init(_, tree) {
    prepareStatus(tree)
  },
  attach(conf, plan, at) {
    if (conf.metrics === undefined) return
    statusReadersOf(at).note()
    plan.own(sendMetrics, { tree: at, compat: conf.metrics })
  },
})

function sendMetrics(r: Request, { tree, compat }: Conf): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0) return 405
  const page = new Exposition(r.headers.valueOf(ACCEPT, 'accept') ?? '')
  writeServer(page, tree)
  writeOwn(page, tree)
  if (compat.includes('plus')) writePlus(page, tree)
  if (compat.includes('vts')) writeVts(page, tree)
  r.out.add('Cache-Control', 'no-cache')
  return sendBytes(r, 200, Buffer.from(soundUtf8(page.text), 'latin1'), page.contentType)
}
