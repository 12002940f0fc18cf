/**
 * Sends a file that is stored compressed beside the one that is asked for: `index.html.br` for `index.html`. Among those
 * that a location looks for, the one that the client likes best is taken, at equal liking in the order br, zstd, gzip; what
 * is there for everybody (`always`) comes after what the client asked for.
 */
import { oneOf } from '../../../config/args.ts'
import { directive } from '../../../config/directive.ts'
import { httpModule } from '../../../http/compile/module.ts'
import type { FileEntry } from '../../../http/files/file-entry.ts'
import type { CodingName } from '../../../http/message/accept-encoding.ts'
import { GET, HEAD } from '../../../http/message/method.ts'
import type { Request } from '../../../http/request/request.ts'
import { DONE, NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { describeFile } from '../../../http/response/asked-file.ts'
import { filePath } from '../../../http/response/file-path.ts'
import { codingQuality, type GzipClientRules, gzipClientRules, noteVary } from '../../../http/response/gzip-client.ts'
import { failureText, isMissing, openFile } from '../../../http/response/open-file.ts'
import { sendFile } from '../../../http/response/send-file.ts'
import { CRIT, ERROR } from '../../../log/error-log.ts'

const SLASH = 0x2f

/** One form that a location looks for. */
interface StoredForm {
  readonly name: CodingName
  readonly suffix: string
  /** Whatever the client says. */
  readonly always: boolean
  readonly rules: GzipClientRules
}

const stored = (suffix: string, coding: string) =>
  directive({
    in: ['http', 'server', 'location'],
    args: oneOf('off', 'on', 'always'),
    default: 'off',
    doc: `Looks for a file with \`${suffix}\` behind its name: for clients that take ${coding} (\`on\`), or for all (\`always\`).`,
  })

/** The module list's entry. */
export const storedFormsModule = httpModule({
  name: 'http_stored_forms',
  doc: "Serves files that are stored compressed: nginx's gzip_static, ngx_brotli and zstd-nginx-module.",
  directives: {
    gzip_static: stored('.gz', 'gzip'),
    brotli_static: stored('.br', 'Brotli'),
    zstd_static: stored('.zst', 'Zstandard'),
  },
  attach({ gzip_static, brotli_static, zstd_static }, plan, at) {
    const rules = gzipClientRules(at.scope)
    const list: StoredForm[] = []
    const add = (setting: 'off' | 'on' | 'always', name: CodingName, suffix: string) => {
      if (setting !== 'off') list.push({ name, suffix, always: setting === 'always', rules })
    }
    add(brotli_static, 'br', '.br')
    add(zstd_static, 'zstd', '.zst')
    add(gzip_static, 'gzip', '.gz')
    if (list.length > 0) plan.content(serveStored, list)
  },
})

/** The client refuses the form; it is still looked for where `Vary` depends on whether it is there. */
const REFUSED = 0
/** The form is for everybody. */
const UNASKED = 1
const DONE_WITH = -1

function serveStored(r: Request, list: readonly StoredForm[]): Verdict {
  if ((r.methodBit & (GET | HEAD)) === 0 || r.uri.charCodeAt(r.uri.length - 1) === SLASH) return NEXT
  let path: string | undefined
  const worths: number[] = []
  for (const form of list) worths.push(worthOf(r, form))
  for (let round = 0; round < list.length; round++) {
    const index = greatest(worths)
    const form = list[index]!
    const accepted = worths[index] !== REFUSED
    worths[index] = DONE_WITH
    if (!accepted && !form.rules.vary) break
    path ??= filePath(r)
    const verdict = serveForm(r, form, path + form.suffix, accepted)
    if (verdict !== NEXT) return verdict
  }
  return NEXT
}

function worthOf(r: Request, form: StoredForm): number {
  if (form.always) return UNASKED
  const quality = codingQuality(r, form.name, form.rules)
  return quality === 0 ? REFUSED : UNASKED + quality
}

/** Where the first of the greatest stands. */
function greatest(worths: readonly number[]): number {
  let index = 0
  for (let i = 1; i < worths.length; i++) if (worths[i]! > worths[index]!) index = i
  return index
}

function serveForm(r: Request, form: StoredForm, path: string, accepted: boolean): Verdict {
  const entry = openFile(r, path)
  if (entry.error !== '') {
    if (!isMissing(entry)) {
      const refused = entry.error === 'EACCES' || entry.error === 'EMLINK' || entry.error === 'ELOOP'
      r.logError(refused ? ERROR : CRIT, failureText(entry))
    }
    return NEXT
  }
  if (!form.always) noteVary(r, form.rules)
  if (!accepted || !entry.isFile) {
    entry.release()
    if (!accepted || entry.isFolder) return NEXT
    r.logError(CRIT, `"${entry.path}" is not a regular file`)
    return 404
  }
  return send(r, form, entry)
}

function send(r: Request, form: StoredForm, entry: FileEntry): Verdict {
  const broken = r.discardBody()
  if (broken !== 0) {
    entry.release()
    return broken
  }
  describeFile(r, entry, entry.size)
  r.out.contentEncoding = form.name
  sendFile(r, entry)
  return DONE
}
