/** Readers of the arguments that name certificates, keys and their kin, the same for both sides of TLS. */
import { raw, word } from '../config/args.ts'
import { mapped } from '../config/combine.ts'
import type { Args } from '../config/directive.ts'
import { fullName } from '../config/include.ts'
import type { Word } from '../config/source.ts'
import { parseSeconds } from '../config/units.ts'
import { readTemplate, type Template } from '../value/template.ts'

const INACTIVE_DEFAULT_S = 10
const VALID_DEFAULT_S = 60

/** A file of the configuration, where it was named. */
export interface NamedFile {
  readonly path: string
  readonly at: Word
}

/** A certificate or key: a path below `prefix` when it is relative, or `data:` and the PEM text itself. */
export interface PemSource {
  readonly template: Template
  readonly prefix: string
}

/** `ssl_certificate_cache`. */
export interface CertificateCacheOptions {
  readonly max: number
  readonly validS: number
  readonly inactiveS: number
}

/** One `ssl_conf_command`. */
export interface ConfCommand {
  readonly name: string
  readonly value: string
  readonly at: Word
  readonly prefix: string
}

/** A file below the folder of the configuration. */
export const namedFile: Args<NamedFile> = word('file', (at, { confPrefix }) => ({
  path: fullName(at.text, confPrefix),
  at,
}))

/** A certificate or key. */
export const pemSource: Args<PemSource> = word('file', (w, at) => ({
  template: readTemplate(w, at),
  prefix: at.confPrefix,
}))

/** `name value` for OpenSSL. */
export const confCommand: Args<ConfCommand> = mapped(
  raw('name value', { min: 2, max: 2 }),
  ([name, value], _, at): ConfCommand => ({
    name: name!.text,
    value: value!.text,
    at: name!,
    prefix: at.confPrefix,
  }),
)

/** `off`, or `max=` with `inactive=` and `valid=`. */
export const certificateCache: Args<CertificateCacheOptions | undefined> = mapped(
  raw('off | max=N [inactive=time] [valid=time]', { min: 1, max: 3 }),
  (words, _, at) => {
    let max = 0
    let inactiveS: number | undefined = INACTIVE_DEFAULT_S
    let validS: number | undefined = VALID_DEFAULT_S
    let off = false
    for (const w of words) {
      const [, key, value = ''] = /^(max|inactive|valid)=(.*)$/.exec(w.text) ?? []
      if (key === 'max') max = /^\d+$/.test(value) ? Number(value) : 0
      else if (key === 'inactive') inactiveS = parseSeconds(value)
      else if (key === 'valid') validS = parseSeconds(value)
      else if (w.text === 'off') off = true
      const wrong = key === undefined ? w.text !== 'off' : key === 'max' && max === 0
      if (wrong || inactiveS === undefined || validS === undefined) at.fail(`invalid parameter "${w.text}"`, w)
    }
    if (off) return undefined
    if (max === 0) at.fail(`"${at.directive.text}" must have the "max" parameter`)
    return { max, inactiveS: inactiveS ?? INACTIVE_DEFAULT_S, validS: validS ?? VALID_DEFAULT_S }
  },
)
