/**
 * How files are reached: `open_file_cache` and its kin, `disable_symlinks` (ngx_http_core_module), and the memory for
 * content of small files, which nginx does not have. Attaches nothing to requests: handlers ask `location.fileAccess`.
 */
import { flag, number, seconds, size, word } from '../../config/args.ts'
import { type Args, type ConfOf, directive } from '../../config/directive.ts'
import type { Word } from '../../config/source.ts'
import { parseNumber, parseSeconds } from '../../config/units.ts'
import { type AttachContext, httpModule } from '../../http/compile/module.ts'
import { fileMemory } from '../../http/files/file-memory.ts'
import { OpenFileCache } from '../../http/files/open-file-cache.ts'
import type { SymlinkMode } from '../../http/files/symlinks.ts'
import type { FileAccess } from '../../http/request/file-access.ts'
import { readTemplate, type Template } from '../../value/template.ts'

const HSL = ['http', 'server', 'location'] as const

/** `max=N [inactive=time]`, or undefined for `off`. */
interface CacheSize {
  readonly count: number
  readonly inactiveMs: number
}

const cacheSize: Args<CacheSize | undefined> = {
  syntax: 'off | max=number [inactive=time]',
  min: 1,
  max: 2,
  read(list, at) {
    let off = false
    let count = 0
    let inactive = 60
    for (const w of list) {
      const value = w.text.slice(w.text.indexOf('=') + 1)
      let good = true
      if (w.text.startsWith('max=')) good = (count = parseNumber(value) ?? 0) > 0
      else if (w.text.startsWith('inactive=')) good = (inactive = parseSeconds(value) ?? -1) >= 0
      else good = off = w.text === 'off'
      if (!good) at.fail(`invalid "open_file_cache" parameter "${w.text}"`, w)
    }
    if (off) return undefined
    if (count === 0) at.fail('"open_file_cache" must have the "max" parameter')
    return { count, inactiveMs: inactive * 1000 }
  },
}

interface SymlinkCheck {
  readonly mode: SymlinkMode
  readonly from: Template | undefined
}

const symlinkCheck: Args<SymlinkCheck> = {
  syntax: 'off | on | if_not_owner [from=part]',
  min: 1,
  max: 2,
  read(list, at) {
    let mode: SymlinkMode | undefined
    let from: Template | undefined
    for (const w of list) {
      if (w.text === 'off' || w.text === 'on' || w.text === 'if_not_owner') mode = w.text
      else if (w.text.startsWith('from=')) from = readTemplate({ ...w, text: w.text.slice('from='.length) }, at)
      else at.fail(`invalid parameter "${w.text}"`, w)
    }
    if (mode === undefined) {
      return at.fail(`"${at.directive.text}" must have "off", "on" or "if_not_owner" parameter`)
    }
    if (list.length === 2 && from === undefined) {
      at.fail(`duplicate parameters "${list[0]!.text} ${list[1]!.text}"`)
    }
    if (from !== undefined && mode === 'off') at.fail('"from=" cannot be used with "off" parameter')
    return { mode, from }
  },
}

const memorySize: Args<number> = word('size | off', (w: Word, at) => (w.text === 'off' ? 0 : size.read([w], at)))

const directives = {
  open_file_cache: directive({
    in: HSL,
    args: cacheSize,
    doc: 'Remembers open files, folders and failures to find them, at most so many, until nobody asks for `inactive`.',
  }),
  open_file_cache_valid: directive({
    in: HSL,
    args: seconds,
    default: '60s',
    doc: 'How long an entry of open_file_cache is believed without a look at the disk.',
  }),
  open_file_cache_min_uses: directive({
    in: HSL,
    args: number('number'),
    default: '1',
    doc: 'Uses of a file, within the time of `inactive`, before it is kept open.',
  }),
  open_file_cache_errors: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Remembers failures to find a file, too.',
  }),
  open_file_cache_events: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Watches files for changes.',
    withoutEffect: 'It works on systems with kqueue alone.',
  }),
  open_file_cache_content: directive({
    in: ['http'],
    args: memorySize,
    default: '32m',
    doc: 'Memory of each worker for the content of small static files and its compressed forms. Viaduct only.',
  }),
  disable_symlinks: directive({
    in: HSL,
    args: symlinkCheck,
    default: 'off',
    doc: 'Refuses paths with symbolic links in them, behind the part `from=` when given.',
  }),
}
type Conf = ConfOf<typeof directives>

/** The module list's entry. */
export const openFileCacheModule = httpModule({
  name: 'http_open_file_cache',
  doc: 'Access to files: what is remembered of them, and whether links are followed.',
  directives,
  init(conf, tree) {
    if (tree.role === 'worker') fileMemory.sizeMax = conf.open_file_cache_content
  },
  attach(conf, _plan, at) {
    at.location.fileAccess = accessOf(conf, at)
  },
})

function accessOf(conf: Conf, at: AttachContext): FileAccess {
  const { mode, from } = conf.disable_symlinks
  const settings = [conf.open_file_cache, conf.open_file_cache_valid, conf.open_file_cache_min_uses]
  const key = JSON.stringify([...settings, conf.open_file_cache_errors, mode, from?.source])
  return at.shared(`file access ${key}`, () => ({
    cache: conf.open_file_cache && cacheOf(conf.open_file_cache, at),
    validMs: conf.open_file_cache_valid * 1000,
    minUses: conf.open_file_cache_min_uses,
    errors: conf.open_file_cache_errors,
    symlinks: mode,
    from: from && at.text(from),
  }))
}

/** One cache for all places with the same size: nothing in it depends on the place. */
function cacheOf({ count, inactiveMs }: CacheSize, at: AttachContext): OpenFileCache {
  return at.shared(`open_file_cache ${count} ${inactiveMs}`, () => {
    const cache = new OpenFileCache(count, inactiveMs)
    at.onExit(() => cache.retire())
    return cache
  })
}
