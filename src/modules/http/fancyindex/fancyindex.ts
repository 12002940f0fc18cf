/**
 * ngx_http_fancyindex_module (of Adrian Perez de Castro): folders as a page that can be sorted and themed, with a header
 * and a footer of one's own.
 */

import { flag, number, oneOf, raw, text } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type ConfOf, directive, directives } from '../../../config/directive.ts'
import { type AttachContext, httpModule } from '../../../http/compile/module.ts'
import { LAST, STABLE } from '../../../http/message/body.ts'
import { GET, HEAD } from '../../../http/message/method.ts'
import type { Request } from '../../../http/request/request.ts'
import { DONE, NEXT, type Verdict } from '../../../http/request/verdict.ts'
import { folderEntries, folderFailure, folderPath } from '../../../http/response/list-folder.ts'
import { InPlaceSubrequest, orderedBody } from '../../../http/subrequest/ordered-body.ts'
import { lowerAscii, NO_BYTES, toBinary } from '../../../lib/bytes.ts'
import { errnoText } from '../../../lib/errno.ts'
import { lstatPath } from '../../../lib/file-status.ts'
import { type FolderEntry, readFolder } from '../../../lib/folder.ts'
import { compilePattern, type Pattern } from '../../../value/regex.ts'
import {
  listingTable,
  orderOf,
  PAGE_END,
  type PageOptions,
  pageStart,
  type SortColumn,
  type SortOrder,
} from './page.ts'

const HSL = ['http', 'server', 'location'] as const
const SLASH = 0x2f

/** A text around the listing: what a subrequest answers, or a file. */
interface Frame {
  readonly path: string
  readonly local: boolean
}

const frameArgs = mapped(raw('path [subrequest | local]', { min: 1, max: 2 }), ([path, kind], _, at): Frame => {
  const how = kind?.text ?? 'subrequest'
  if (how !== 'subrequest' && how !== 'local') at.fail(`unknown mode "${how}"`, kind)
  return { path: path!.text, local: how === 'local' }
})

const ignoreArgs = mapped(raw('string ...', { min: 1 }), (words, _, at): readonly Pattern[] =>
  words.map((word) => compilePattern(word.text, { caseless: true }, (message) => at.fail(message, word))),
)

const on = (doc: string) => directive({ in: HSL, args: flag, default: 'on', doc })
const off = (doc: string) => directive({ in: HSL, args: flag, default: 'off', doc })

const own = {
  fancyindex: off('Lists folders that have no index file, as a page that can be sorted.'),
  fancyindex_default_sort: directive({
    in: HSL,
    args: oneOf('name', 'size', 'date', 'name_desc', 'size_desc', 'date_desc'),
    default: 'name',
    doc: 'The order when the request asks for none.',
  }),
  fancyindex_case_sensitive: on('Sorts capital letters before small ones.'),
  fancyindex_directories_first: on('Lists folders before files.'),
  fancyindex_css_href: directive({ in: HSL, args: text('uri'), default: '""', doc: 'A style sheet for the page.' }),
  fancyindex_exact_size: on('Shows sizes in bytes.'),
  fancyindex_footer: directive({ in: HSL, args: frameArgs, doc: 'What stands behind the listing.' }),
  fancyindex_header: directive({ in: HSL, args: frameArgs, doc: 'What stands before the listing.' }),
  fancyindex_show_path: on('Shows the path above the listing.'),
  fancyindex_show_dotfiles: off('Lists names that begin with a dot, too.'),
  fancyindex_ignore: directives({ in: HSL, args: ignoreArgs, doc: 'Expressions for names that are not listed.' }),
  fancyindex_hide_symlinks: off('Lists no symbolic links.'),
  fancyindex_hide_parent_dir: off('Shows no link to the parent folder.'),
  fancyindex_localtime: off('Shows local time and not UTC.'),
  fancyindex_time_format: directive({
    in: HSL,
    args: text('string'),
    default: '"%Y-%b-%d %H:%M"',
    doc: 'How dates are shown, as strftime has it.',
  }),
  fancyindex_name_length: directive({
    in: HSL,
    args: number('length'),
    default: '50',
    doc: 'Longer names are cut; 0: none.',
  }),
}
type Conf = ConfOf<typeof own>

/** The module list's entry. */
export const fancyindexModule = httpModule({
  name: 'http_fancyindex',
  doc: 'Lists folders with themes.',
  directives: own,
  attach(conf, plan, at) {
    if (!conf.fancyindex) return
    const frames = {
      before: compileFrame(conf.fancyindex_header, at),
      after: compileFrame(conf.fancyindex_footer, at),
    }
    if (frames.before?.uri !== undefined || frames.after?.uri !== undefined) plan.subrequests = true
    plan.content(list, { ...conf, ...frames, ignored: conf.fancyindex_ignore.flat() })
  },
})

/** A frame compiled: where it is asked for, or its text. */
interface CompiledFrame {
  readonly uri: string | undefined
  readonly text: Buffer
}

interface ListingConf extends Conf {
  /** No name that one of these matches is listed. */
  readonly ignored: readonly Pattern[]
  readonly before: CompiledFrame | undefined
  readonly after: CompiledFrame | undefined
}

function compileFrame(frame: Frame | undefined, at: AttachContext): CompiledFrame | undefined {
  if (frame === undefined) return undefined
  if (!frame.local) return { uri: frame.path, text: NO_BYTES }
  const path = at.prefixed(frame.path)
  const { text, errno } = at.readFile(path)
  if (errno !== '') at.fail(`open() "${path}" failed ${errnoText(errno)}`)
  return { uri: undefined, text: Buffer.from(toBinary(text), 'latin1') }
}

function list(r: Request, conf: ListingConf): Verdict {
  if (r.uri.charCodeAt(r.uri.length - 1) !== SLASH || (r.methodBit & (GET | HEAD)) === 0) return NEXT
  const broken = r.discardBody()
  if (broken !== 0) return broken
  const folder = folderPath(r)
  const names = readFolder(folder, conf.fancyindex_show_dotfiles)
  if (typeof names === 'string') return folderFailure(r, folder, names)
  const entries = folderEntries(r, folder, listed(names, folder, conf))
  if (entries === undefined) return 500
  r.out.status = 200
  r.out.contentType = 'text/html'
  if (r.out.charset === '') r.out.charset = 'utf-8'
  r.sendHead()
  if (r.headerOnly || r.refusal !== 0) r.body.write(NO_BYTES, LAST)
  else send(r, conf, entries)
  return DONE
}

function listed(names: readonly string[], folder: string, conf: ListingConf): readonly string[] {
  return names.filter((name) => {
    if (conf.ignored.some((pattern) => pattern.test(name))) return false
    if (!conf.fancyindex_hide_symlinks) return true
    const stats = lstatPath(`${folder}/${name}`)
    return typeof stats === 'string' || !stats.isSymbolicLink()
  })
}

function send(r: Request, conf: ListingConf, entries: FolderEntry[]): void {
  const asked = orderOf(r.args)
  const options: PageOptions = {
    utf8: r.out.charset.toLowerCase() === 'utf-8',
    localtime: conf.fancyindex_localtime,
    exactSize: conf.fancyindex_exact_size,
    showPath: conf.fancyindex_show_path,
    hideParent: conf.fancyindex_hide_parent_dir,
    timeFormat: conf.fancyindex_time_format,
    nameLength: conf.fancyindex_name_length,
    cssHref: conf.fancyindex_css_href,
    sortArgs: asked === undefined ? '' : `?${sortText(asked)}`,
  }
  entries.sort(comparison(asked ?? defaultOrder(conf), conf))
  if (!frame(r, conf.before, pageStart(r.uri, options))) return r.breakOff()
  r.body.write(Buffer.from(listingTable(r.uri, entries, options), 'latin1'), STABLE)
  if (!frame(r, conf.after, PAGE_END)) return r.breakOff()
  r.body.write(NO_BYTES, LAST)
}

/** Writes what stands before or behind the listing; false: it cannot be had, which is logged. */
function frame(r: Request, given: CompiledFrame | undefined, usual: string): boolean {
  if (given?.uri !== undefined) return new InPlaceSubrequest(r, orderedBody(r)!, given.uri, '').start()
  r.body.write(given?.text ?? Buffer.from(usual, 'latin1'), STABLE)
  return true
}

function sortText({ column, descending }: SortOrder): string {
  return `C=${column === 'date' ? 'M' : column.charAt(0).toUpperCase()}&amp;O=${descending ? 'D' : 'A'}`
}

function defaultOrder({ fancyindex_default_sort: name }: Conf): SortOrder {
  return { column: name.replace('_desc', '') as SortColumn, descending: name.endsWith('_desc') }
}

function comparison({ column, descending }: SortOrder, conf: Conf): (a: FolderEntry, b: FolderEntry) => number {
  const sign = descending ? -1 : 1
  const fold = conf.fancyindex_case_sensitive ? (name: string) => name : lowerAscii
  const byName = (a: FolderEntry, b: FolderEntry): number => (fold(a.name) < fold(b.name) ? -1 : 1)
  return (a, b) => {
    if (conf.fancyindex_directories_first && (a.kind === 'folder') !== (b.kind === 'folder')) {
      return a.kind === 'folder' ? -1 : 1
    }
    const difference = column === 'size' ? a.size - b.size : column === 'date' ? a.mtime - b.mtime : 0
    return sign * (difference === 0 ? byName(a, b) : difference)
  }
}
