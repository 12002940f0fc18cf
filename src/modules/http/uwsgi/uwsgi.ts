/**
 * ngx_http_uwsgi_module: passes requests to uWSGI and its like. A request is one packet, behind which its body follows:
 *
 *   modifier1 | size of the parameters (2, little endian) | modifier2 | size (2) | name | size (2) | value | ...
 */

import { number, text } from '../../../config/args.ts'
import { type ConfOf, type Context, directive, family } from '../../../config/directive.ts'
import { cachesOf } from '../../../http/cache/caches.ts'
import { httpModule } from '../../../http/compile/module.ts'
import { UWSGI } from '../../../http/exchange/codecs/cgi.ts'
import { attachCgi, type CgiWay } from '../../../http/exchange/compile/cgi-exchange.ts'
import type { ParamSink } from '../../../http/exchange/compile/cgi-params.ts'
import { checkBlock } from '../../../http/exchange/compile/check-blocks.ts'
import { cgi } from '../../../http/exchange/directives/cgi.ts'
import { ssl } from '../../../http/exchange/directives/ssl.ts'
import { ALERT } from '../../../log/error-log.ts'
import { template } from '../../../value/template.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']
const SCHEMES = { plain: 'uwsgi://', secure: 'suwsgi://' }
const PACKET_MAX = 65535
const modifier = number('number', { min: 0, max: 255 })

const allDirectives = {
  ...family('uwsgi', cgi),
  ...family('uwsgi', ssl),
  uwsgi_pass: directive({
    in: ['location', 'if'],
    args: template('[protocol://]address'),
    inheritance: 'pseudo',
    doc: 'The address of a uwsgi server, or the upstream group of several; suwsgi:// before it speaks TLS.',
  }),
  uwsgi_modifier1: directive({ in: HSL, args: modifier, default: '0', doc: 'The modifier1 field of packets.' }),
  uwsgi_modifier2: directive({ in: HSL, args: modifier, default: '0', doc: 'The modifier2 field of packets.' }),
  uwsgi_string: directive({
    in: HSL,
    args: text('string'),
    default: '""',
    doc: 'What follows the parameters in packets.',
  }),
}
type Conf = ConfOf<typeof allDirectives>

/** The module list's entry. */
export const uwsgiModule = httpModule({
  name: 'http_uwsgi',
  doc: 'Passes requests to uwsgi servers.',
  directives: allDirectives,
  init(conf, tree) {
    cachesOf(tree).declare('uwsgi', conf.uwsgi_cache_path)
  },
  declare(_, tree, scope) {
    checkBlock('uwsgi', allDirectives, scope, tree)
  },
  attach(conf, plan, at) {
    attachCgi(wayOf(conf), conf, plan, at)
  },
})

/** Collects the parameters of one request. */
class Packet implements ParamSink {
  text = ''

  add(name: string, value: string): void {
    this.text += sizeText(name.length) + name + sizeText(value.length) + value
  }
}

function sizeText(size: number): string {
  return String.fromCharCode(size & 255, (size >> 8) & 255)
}

const packet = new Packet()

function wayOf(conf: Conf): CgiWay {
  const modifier1 = String.fromCharCode(conf.uwsgi_modifier1)
  const modifier2 = String.fromCharCode(conf.uwsgi_modifier2)
  const behind = conf.uwsgi_string
  return {
    name: 'uwsgi',
    directives: allDirectives,
    pass: conf.uwsgi_pass,
    schemes: SCHEMES,
    protocol: UWSGI,
    hidesStatus: false,
    needsLength: false,
    compile: (params) => (r) => {
      packet.text = ''
      params.write(r, packet)
      const text = packet.text + behind
      if (text.length <= PACKET_MAX) return modifier1 + sizeText(text.length) + modifier2 + text
      r.logError(ALERT, `uwsgi request is too big: ${text.length}`)
      return ''
    },
  }
}
