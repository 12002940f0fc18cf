/**
 * `$fastcgi_script_name` and `$fastcgi_path_info`: the URI, split by `fastcgi_split_path_info` where a script is followed
 * by a path, and completed by `fastcgi_index` where it is that of a folder (ngx_http_fastcgi_split).
 */
import { raw, text } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type ConfOf, type Context, directive } from '../../../config/directive.ts'
import type { LocationConf } from '../../../http/request/location.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSetting, defineSlot } from '../../../http/request/slots.ts'
import { compilePattern, type Pattern } from '../../../value/regex.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']

/** The directives, mounted by the module. */
export const splitDirectives = {
  fastcgi_index: directive({
    in: HSL,
    args: text('name'),
    default: '""',
    doc: 'The name that is put behind a URI that ends in a slash, in $fastcgi_script_name.',
  }),
  fastcgi_split_path_info: directive({
    in: HSL,
    args: mapped(raw('regex', { min: 1, max: 1 }), ([word], _, at): Pattern => {
      const pattern = compilePattern(word!.text, { caseless: false }, (message) => at.fail(message, word))
      if (pattern.captureCount !== 2) at.fail(`pattern "${word!.text}" must have 2 captures`, word)
      return pattern
    }),
    duplicate: false,
    doc: 'Its captures become $fastcgi_script_name and $fastcgi_path_info.',
  }),
}

interface SplitConf {
  readonly pattern: Pattern | undefined
  readonly index: string
}

const SPLIT = defineSetting<SplitConf>({ pattern: undefined, index: '' })

/** Where the pieces of a URI were found, for as long as it stays. */
interface Pieces {
  readonly uri: string
  readonly conf: SplitConf
  readonly script: string
  readonly path: string
}

const PIECES = defineSlot<Pieces>()

/** Notes what a location says about it. */
export function attachSplit(
  { fastcgi_index: index, fastcgi_split_path_info: pattern }: ConfOf<typeof splitDirectives>,
  location: LocationConf,
): void {
  if (pattern !== undefined || index !== '') location.set(SPLIT, { pattern, index })
}

/** `$fastcgi_script_name`. */
export function scriptName(r: Request): string {
  const { script, conf } = piecesOf(r)
  return script.endsWith('/') ? script + conf.index : script
}

/** `$fastcgi_path_info`. */
export function pathInfo(r: Request): string {
  return piecesOf(r).path
}

function piecesOf(r: Request): Pieces {
  const conf = r.location.get(SPLIT)
  const known = r.get(PIECES)
  if (known !== undefined && known.uri === r.uri && known.conf === conf) return known
  const { uri } = r
  const { pattern } = conf
  const found = pattern?.exec(uri) === true ? pattern.captures : undefined
  const pieces = { uri, conf, script: found === undefined ? uri : (found[1] ?? ''), path: found?.[2] ?? '' }
  r.set(PIECES, pieces)
  return pieces
}
