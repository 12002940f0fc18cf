/** ngx_http_keyval_module (NGINX Plus): variables whose values are looked up in pairs that are changed by the API. */
import { milliseconds, oneOf, prefixPath, raw, zone } from '../../config/args.ts'
import { mapped, params, present } from '../../config/combine.ts'
import { directives as many } from '../../config/directive.ts'
import type { Position } from '../../config/source.ts'
import { type HttpTree, httpModule } from '../../http/compile/module.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { clock } from '../../lib/clock.ts'
import { type KeyvalSpec, type KeyvalZone, keyvalZonesOf } from '../../tree/keyval-zones.ts'
import { readTemplate, type Template } from '../../value/template.ts'
import { variableName } from '../../value/variable-name.ts'

const NO_SYNC =
  '"sync" is not supported by Viaduct: there is no "zone_sync" that would tell other machines of changes; ' +
  'without "sync" the zone is shared by all workers of this one, and "state" keeps it over restarts'

const zoneArgs = mapped(
  params({
    zone,
    state: prefixPath('file'),
    timeout: milliseconds,
    type: oneOf('string', 'ip', 'prefix'),
    sync: present,
  }),
  (given, _, at): KeyvalSpec => {
    if (given.zone === undefined) return at.fail(`"${at.directive.text}" must have "zone" parameter`)
    const { timeout = 0, sync = false } = given
    if (given.timeout === 0) at.fail('invalid timeout value "0"')
    if (sync && timeout === 0) at.fail('"sync" requires "timeout" parameter')
    // Without zone_sync NGINX Plus keeps such a zone to itself, and who counts on others learns nothing of that.
    if (sync) at.fail(NO_SYNC)
    return {
      ...given.zone,
      type: given.type ?? 'string',
      timeoutMs: timeout,
      statePath: given.state ?? '',
      at: at.end,
    }
  },
)

interface KeyvalUse {
  readonly key: Template
  readonly variable: string
  readonly zone: string
  readonly at: Position
}

const useArgs = mapped(
  raw('key $variable zone=name', { min: 3, max: 3 }),
  ([key, variable, zoneWord], _, at): KeyvalUse => {
    const name = /^zone=(.+)$/s.exec(zoneWord!.text)?.[1]
    if (name === undefined) return at.fail(`invalid parameter "${zoneWord!.text}"`, zoneWord)
    return { key: readTemplate(key!, at), variable: variableName(variable!, at), zone: name, at: at.end }
  },
)

/** The module list's entry. */
export const keyvalModule = httpModule({
  name: 'http_keyval',
  doc: 'Variables looked up in pairs that are changed while the server runs.',
  directives: {
    keyval_zone: many({
      in: ['http'],
      args: { ...zoneArgs, min: 1 },
      doc: 'Memory for pairs of a key and a value: a file that keeps them, how long they live, how keys are matched.',
    }),
    keyval: many({
      in: ['http'],
      args: useArgs,
      doc: 'Makes a variable whose value is looked up by a key in a zone.',
    }),
  },
  init(conf, tree) {
    const zones = keyvalZonesOf(tree)
    for (const spec of conf.keyval_zone) zones.declare(spec, clock.now)
    for (const use of conf.keyval) declare(use, tree)
  },
})

function declare({ key, variable, zone: name, at }: KeyvalUse, tree: HttpTree): void {
  const found = keyvalZonesOf(tree).find(name)
  if (found === undefined) return tree.fail(`unknown keyval zone "${name}"`, at)
  if (tree.variables.isFixed(variable)) return tree.fail(`the duplicate "${variable}" variable`, at)
  const looked = new LookedUp(found)
  tree.variables.computed(variable, (r) => looked.value(r), false)
  tree.afterAttach(() => {
    looked.key = tree.text(key)
  })
}

class LookedUp {
  key: Text = () => ''
  readonly #zone: KeyvalZone

  constructor(found: KeyvalZone) {
    this.#zone = found
  }

  value(r: Request): string {
    return this.#zone.records?.find(this.key(r), clock.now) ?? ''
  }
}
