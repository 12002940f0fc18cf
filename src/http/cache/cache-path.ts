/**
 * `*_cache_path`: where a cache keeps its files, how large it may become, and the zone with its keys
 * (ngx_http_file_cache_set_slot). One reader for `proxy_`, `fastcgi_`, `uwsgi_` and `scgi_`; `memory` is ours.
 */
import { type Args, directives, type ReadContext } from '../../config/directive.ts'
import { fullName } from '../../config/include.ts'
import type { Position, Word } from '../../config/source.ts'
import { parseMilliseconds, parseNumber, parseOffset, parseSeconds, parseSize } from '../../config/units.ts'

/** How much of a pass over the files is done at a time: so many files, at most so long, then a rest. */
export interface Pace {
  readonly files: number
  readonly sleepMs: number
  readonly thresholdMs: number
}

/** One `*_cache_path`. */
export interface CachePath {
  readonly name: string
  readonly zoneSize: number
  readonly path: string
  /** It was written with a slash at its end. */
  readonly slash: boolean
  readonly levels: readonly number[]
  readonly useTempPath: boolean
  readonly inactiveS: number
  /** Bytes; Infinity: as many as there is room for. */
  readonly maxSize: number
  readonly minFree: number
  /** Bytes that each thread keeps in memory of what is asked for often. */
  readonly memory: number
  readonly manager: Pace
  readonly loader: Pace
  readonly purger: Pace
  readonly at: Position
}

const ZONE_SIZE_MIN = 2 * 4096
const LEVELS_MAX = 3
const MEMORY_DEFAULT = 16 * 1048576

/** What is put together while the words are read. */
class Draft {
  name = ''
  zoneSize = 0
  levels: readonly number[] = []
  useTempPath = true
  inactiveS = 600
  maxSize = Number.POSITIVE_INFINITY
  minFree = 0
  memory = MEMORY_DEFAULT
  manager = { files: 100, sleepMs: 50, thresholdMs: 200 }
  loader = { files: 100, sleepMs: 50, thresholdMs: 200 }
  purger = { files: 100, sleepMs: 50, thresholdMs: 50 }
}

type ReadParameter = (draft: Draft, value: string, w: Word, at: ReadContext) => void

const PARAMETERS: Readonly<Record<string, ReadParameter>> = {
  levels(draft, value, w, at) {
    const levels = value === '' ? [] : value.split(':')
    const bad = levels.length > LEVELS_MAX || levels.some((level) => level !== '1' && level !== '2')
    if (bad) at.fail(`invalid "levels" "${w.text}"`, w)
    draft.levels = levels.map(Number)
  },
  use_temp_path(draft, value, w, at) {
    if (value !== 'on' && value !== 'off') {
      at.fail(`invalid use_temp_path value "${w.text}", it must be "on" or "off"`, w)
    }
    draft.useTempPath = value === 'on'
  },
  keys_zone(draft, value, w, at) {
    const colon = value.indexOf(':')
    const size = colon < 0 ? undefined : parseSize(value.slice(colon + 1))
    if (size === undefined) at.fail(`invalid keys zone size "${w.text}"`, w, 'write it as name:size, such as one:10m')
    if (size! < ZONE_SIZE_MIN) at.fail(`keys zone "${w.text}" is too small`, w)
    draft.name = value.slice(0, colon)
    draft.zoneSize = size!
  },
  inactive(draft, value, w, at) {
    draft.inactiveS = parseSeconds(value) ?? at.fail(`invalid inactive value "${w.text}"`, w)
  },
  max_size(draft, value, w, at) {
    draft.maxSize = parseOffset(value) ?? at.fail(`invalid max_size value "${w.text}"`, w)
  },
  min_free(draft, value, w, at) {
    draft.minFree = parseOffset(value) ?? at.fail(`invalid min_free value "${w.text}"`, w)
  },
  memory(draft, value, w, at) {
    draft.memory = parseOffset(value) ?? at.fail(`invalid memory value "${w.text}"`, w)
  },
  purger(_, value, w, at) {
    if (value !== 'on' && value !== 'off') at.fail(`invalid purger value "${w.text}", it must be "on" or "off"`, w)
  },
  ...paceOf('manager'),
  ...paceOf('loader'),
  ...paceOf('purger'),
}

/** `manager_files manager_sleep manager_threshold` and their kin. */
function paceOf(who: 'manager' | 'loader' | 'purger'): Readonly<Record<string, ReadParameter>> {
  return {
    [`${who}_files`](draft, value, w, at) {
      draft[who].files = parseNumber(value) ?? at.fail(`invalid ${who}_files value "${w.text}"`, w)
    },
    [`${who}_sleep`](draft, value, w, at) {
      draft[who].sleepMs = parseMilliseconds(value) ?? at.fail(`invalid ${who}_sleep value "${w.text}"`, w)
    },
    [`${who}_threshold`](draft, value, w, at) {
      draft[who].thresholdMs = parseMilliseconds(value) ?? at.fail(`invalid ${who}_threshold value "${w.text}"`, w)
    },
  }
}

const cachePath: Args<CachePath> = {
  syntax:
    'path [levels=levels] [use_temp_path=on|off] keys_zone=name:size [inactive=time] [max_size=size] [min_free=size] ' +
    '[manager_files=number] [manager_sleep=time] [manager_threshold=time] ' +
    '[loader_files=number] [loader_sleep=time] [loader_threshold=time] ' +
    '[purger=on|off] [purger_files=number] [purger_sleep=time] [purger_threshold=time] [memory=size]',
  min: 2,
  max: Number.POSITIVE_INFINITY,
  read([path, ...words], at) {
    const draft = new Draft()
    for (const w of words) {
      const equals = w.text.indexOf('=')
      const key = equals < 0 ? '' : w.text.slice(0, equals)
      const read = Object.hasOwn(PARAMETERS, key) ? PARAMETERS[key] : undefined
      if (read === undefined) at.fail(`invalid parameter "${w.text}"`, w)
      read!(draft, w.text.slice(equals + 1), w, at)
    }
    const slash = path!.text.endsWith('/')
    if (draft.name === '') at.fail(`"${at.directive.text}" must have "keys_zone" parameter`)
    return { ...draft, path: fullName(path!.text.replace(/\/$/, ''), at.prefix), slash, at: at.end }
  },
}

/** The directive without its prefix. */
export const cachePathDirectives = {
  cache_path: directives({
    in: ['http'],
    args: cachePath,
    doc: 'Folder, size and keys zone of a cache; `memory` is what each thread keeps in memory of it (0: nothing).',
  }),
}
