/** What a back end sends before the response proper: early hints. */
import { INFO } from '../../log/error-log.ts'
import { isTrue } from '../../value/truth.ts'
import { hashName } from '../message/field-names.ts'
import type { HeaderTable } from '../message/header-table.ts'
import type { Text } from '../request/plan.ts'
import type { Request } from '../request/request.ts'
import { defineSetting } from '../request/slots.ts'
import type { Codec } from './codec.ts'
import type { ExchangeConf } from './conf.ts'
import { isHidden } from './response-head.ts'

const EARLY_HINTS = 103
/** Fields of an interim response that speak of the connection to the back end. */
const FRAMING = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'upgrade'].map((name) => ({
  name,
  hash: hashName(name),
}))

/** `early_hints`: one of these must say so before a 103 is passed on. */
export const EARLY_HINTS_WANTED = defineSetting<readonly Text[]>([])

/** Passes a 103 on where `early_hints` says so. `total` is the size of all interim heads of this attempt. */
export function passInterim(r: Request, conf: ExchangeConf, codec: Codec, total: number): void {
  if (codec.status !== EARLY_HINTS || r.headSent) return
  if (total > conf.transport.buffer_size) {
    r.logError(INFO, 'upstream sent too big early hints while reading response header from upstream')
    return
  }
  if (!r.location.get(EARLY_HINTS_WANTED).some((value) => isTrue(value(r)))) return
  const lines = hintLines(conf, codec.headers)
  if (lines !== '') r.carrier.sendInterim(r, EARLY_HINTS, lines)
}

function hintLines(conf: ExchangeConf, table: HeaderTable): string {
  let lines = ''
  for (let i = 0; i < table.count; i++) {
    if (table.hidden(i) || isHidden(conf, table, i)) continue
    if (FRAMING.some(({ name, hash }) => table.hash(i) === hash && table.nameIs(i, name))) continue
    lines += table.name(i) + ': ' + table.value(i) + '\r\n'
  }
  return lines
}
