/** `proxy_store` and `proxy_store_access`: where copies of responses are kept, and with which permissions. */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type ConfOf, type Context, directive } from '../../../config/directive.ts'
import type { Word } from '../../../config/source.ts'
import type { AttachContext } from '../../../http/compile/module.ts'
import type { StorePlace } from '../../../http/exchange/stored-file.ts'
import { filePath } from '../../../http/response/file-path.ts'
import { readTemplate, type Template } from '../../../value/template.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']
const SHIFTS: Readonly<Record<string, number>> = { user: 6, group: 3, all: 0 }
const OWNER_ONLY = 0o600

/** The directives, to be listed by the module. */
export const storeDirectives = {
  proxy_store: directive({
    in: HSL,
    args: mapped(raw('on | off | string', { min: 1, max: 1 }), ([word], _, at): 'on' | 'off' | Template => {
      const { text } = word!
      return text === 'on' || text === 'off' ? text : readTemplate(word!, at)
    }),
    default: 'off',
    doc: 'Keeps copies of responses in files: where root or alias says, or under the given path.',
  }),
  proxy_store_access: directive({
    in: HSL,
    args: mapped(raw('users:permissions ...', { min: 1, max: 3 }), (words, _, at) => {
      const given = words.map((word) => access(word) ?? at.fail(`invalid value "${word.text}"`, word))
      const owner = words.some((word) => word.text.startsWith('user:')) ? 0 : OWNER_ONLY
      return given.reduce((mode, bits) => mode | bits, owner)
    }),
    default: 'user:rw',
    doc: 'Permissions of the copies: `user`, `group` and `all`, each with `r` or `rw`.',
  }),
}

function access(word: Word): number | undefined {
  const [, who, right] = /^(user|group|all):(rw|r)$/.exec(word.text) ?? []
  return who === undefined ? undefined : (right === 'rw' ? 6 : 4) << SHIFTS[who]!
}

/** Where a location keeps copies, or undefined when it keeps none. */
export function compileStore(conf: ConfOf<typeof storeDirectives>, at: AttachContext): StorePlace | undefined {
  const { proxy_store: place, proxy_store_access: mode } = conf
  if (place === 'off') return undefined
  if (place === 'on') return { path: (r) => filePath(r), mode }
  return { path: at.text(place), mode }
}
