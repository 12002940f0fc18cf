/**
 * `proxy_store` and `proxy_store_access`, also of other families: where copies of responses are kept, and with which permissions.
 */
import { accessMode } from '../../../config/access-mode.ts'
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type ConfOf, type Context, directive } from '../../../config/directive.ts'
import { readTemplate, type Template } from '../../../value/template.ts'
import type { AttachContext } from '../../compile/module.ts'
import { filePath } from '../../response/file-path.ts'
import type { StorePlace } from '../stored-file.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']

/** The directives, without the prefix (`proxy_` ...) that each family gives them. */
export const store = {
  store: directive({
    in: HSL,
    args: mapped(raw('on | off | string', { min: 1, max: 1 }), ([word], _, at): 'on' | 'off' | Template => {
      const { text } = word!
      if (text === '') at.fail('empty path', word)
      return text === 'on' || text === 'off' ? text : readTemplate(word!, at)
    }),
    default: 'off',
    doc: 'Keeps copies of responses in files: where root or alias says, or under the given path.',
  }),
  store_access: directive({
    in: HSL,
    args: accessMode,
    default: 'user:rw',
    doc: 'Permissions of the copies: `user`, `group` and `all`, each with `r` or `rw`.',
  }),
}

type StoreConf = ConfOf<typeof store>

/** Where a location keeps copies, or undefined when it keeps none. */
export function compileStore(place: StoreConf['store'], mode: number, at: AttachContext): StorePlace | undefined {
  if (place === 'off') return undefined
  if (place === 'on') return { path: (r) => filePath(r), mode }
  return { path: at.text(place), mode }
}
