/**
 * ngx_http_try_files_module: serves the first file that exists, else goes to the last parameter: a URI, a named location
 * or a status. Names stand behind the `root` or `alias` of the location.
 */
import { type Args, directive } from '../../config/directive.ts'
import { parseNumber } from '../../config/units.ts'
import { httpModule } from '../../http/compile/module.ts'
import { isUnsafe, mayBeUnsafe } from '../../http/message/unsafe-uri.ts'
import { redirectToNamed } from '../../http/request/error-pages.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { NEXT, type Verdict } from '../../http/request/verdict.ts'
import { rootLength, uriBehindAlias } from '../../http/response/file-path.ts'
import { failureText, isMissing, testFile } from '../../http/response/open-file.ts'
import { CRIT, ERROR } from '../../log/error-log.ts'
import { readTemplate, type Template } from '../../value/template.ts'

const STATUS_MAX = 999

interface TryFiles {
  readonly candidates: readonly { readonly name: Template; readonly folder: boolean }[]
  /** The status to answer with, or where to go. */
  readonly fallback: Template | number
}

const tryFilesArgs: Args<TryFiles> = {
  syntax: 'file ... uri | file ... =code',
  min: 2,
  max: Number.POSITIVE_INFINITY,
  read(words, at) {
    const last = words.at(-1)!
    const candidates = words.slice(0, -1).map((word) => {
      const folder = word.text.endsWith('/')
      const name = folder ? { ...word, text: word.text.slice(0, -1) } : word
      return { name: readTemplate(name, at), folder }
    })
    if (!last.text.startsWith('=')) return { candidates, fallback: readTemplate(last, at) }
    const code = parseNumber(last.text.slice(1))
    if (code === undefined || code > STATUS_MAX) at.fail(`invalid code "${last.text}"`, last)
    return { candidates, fallback: code ?? 0 }
  },
}

const declared = {
  try_files: directive({
    in: ['server', 'location'],
    args: tryFilesArgs,
    inheritance: 'never',
    doc: 'Serves the first of several files that exists, or goes to the last parameter.',
  }),
}

/** The module list's entry. */
export const tryFilesModule = httpModule({
  name: 'http_try_files',
  doc: 'The first of several files that exists.',
  directives: declared,
  attach(conf, plan, at) {
    if (conf.try_files === undefined) return
    const { candidates, fallback } = conf.try_files
    plan.precontent(tryFiles, {
      candidates: candidates.map(({ name, folder }) => ({
        text: at.text(name),
        varies: name.constant === undefined,
        guarded: mayBeUnsafe(name),
        folder,
      })),
      fallback: typeof fallback === 'number' ? fallback : at.text(fallback),
      fallbackVaries: typeof fallback !== 'number' && fallback.constant === undefined,
      guarded: typeof fallback !== 'number' && mayBeUnsafe(fallback),
    })
  },
})

interface Candidate {
  readonly text: Text
  /** It has variables: then nginx takes the name of an aliased location away from it. */
  readonly varies: boolean
  /** A variable could lead out of the root: see `mayBeUnsafe`. */
  readonly guarded: boolean
  readonly folder: boolean
}

interface Compiled {
  readonly candidates: readonly Candidate[]
  readonly fallback: Text | number
  readonly fallbackVaries: boolean
  readonly guarded: boolean
}

function tryFiles(r: Request, conf: Compiled): Verdict {
  const { candidates, fallback } = conf
  const root = r.location.root(r)
  for (let i = 0; i < candidates.length; i++) {
    const { text, varies, guarded, folder } = candidates[i]!
    const name = nameFor(r, text(r), varies)
    if (guarded && isUnsafe(name)) {
      logUnsafe(r, name)
      continue
    }
    const entry = testFile(r, root.slice(0, rootLength(r, root, name)) + name)
    if (entry.error !== '') {
      if (!isMissing(entry)) r.logError(CRIT, failureText(entry))
      continue
    }
    if (entry.isFolder !== folder) continue
    found(r, name, folder)
    return NEXT
  }
  return typeof fallback === 'number' ? fallback : fallBack(r, fallback(r), conf)
}

/** Nothing is there: goes where the last parameter says. */
function fallBack(r: Request, value: string, { fallbackVaries, guarded }: Compiled): Verdict {
  const target = nameFor(r, value, fallbackVaries)
  if (target.startsWith('@')) return redirectToNamed(r, target)
  const question = target.indexOf('?')
  const uri = question < 0 ? target : target.slice(0, question)
  if (guarded && isUnsafe(uri)) {
    logUnsafe(r, target)
    return 404
  }
  return r.redirectTo(uri, question < 0 ? '' : target.slice(question + 1))
}

function logUnsafe(r: Request, uri: string): void {
  r.logError(ERROR, `unsafe URI "${uri}" was detected`)
}

/** What stands behind the root or alias for a name. */
function nameFor(r: Request, name: string, varies: boolean): string {
  const { aliasLength } = r.location
  if (!varies || aliasLength <= 0 || aliasLength === Number.POSITIVE_INFINITY) return name
  return name.startsWith(r.uri.slice(0, aliasLength)) ? name.slice(aliasLength) : name
}

function found(r: Request, name: string, folder: boolean): void {
  const { aliasLength } = r.location
  if (aliasLength < 0) r.uri = name
  else if (aliasLength !== Number.POSITIVE_INFINITY) r.uri = r.uri.slice(0, aliasLength) + name
  else if (!folder) {
    r.uri = name
    r.set(uriBehindAlias, true)
  }
}
