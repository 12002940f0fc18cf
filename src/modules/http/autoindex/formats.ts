/** The forms of folder listings, byte by byte as nginx writes them: programs read even the HTML. Names are binary strings. */
import { escapeHtml, escapeUri } from '../../../http/message/uri.ts'
import { fromBinary, toBinary } from '../../../lib/bytes.ts'
import type { FolderEntry } from '../../../lib/folder.ts'
import { formatHttpDate } from '../../../lib/http-date.ts'
import { escapeJson } from '../../../log/log-escape.ts'

/** How HTML listings look. */
export interface HtmlOptions {
  /** The page is in UTF-8: names are cut between characters. */
  readonly utf8: boolean
  readonly localtime: boolean
  readonly exactSize: boolean
}

/** Width of the column of names. */
const NAME_WIDTH = 50
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const KILO = 1024
const MEGA = 1024 * KILO
const GIGA = 1024 * MEGA

/** A page with links. */
export function listingHtml(uri: string, entries: readonly FolderEntry[], options: HtmlOptions): string {
  const title = `Index of ${escapeHtml(uri)}`
  let page = `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<h1>${title}</h1>`
  page += '<hr><pre><a href="../">../</a>\r\n'
  for (const entry of entries) page += htmlLine(entry, options)
  return `${page}</pre><hr></body>\r\n</html>\r\n`
}

function htmlLine(entry: FolderEntry, options: HtmlOptions): string {
  const slash = entry.kind === 'folder' ? '/' : ''
  const link = `<a href="${escapeUri(entry.name, 'uri-component')}${slash}">`
  const characters = options.utf8 ? [...fromBinary(entry.name)] : undefined
  const length = characters?.length ?? entry.name.length
  let shown: string
  if (length > NAME_WIDTH) {
    const cut = characters?.slice(0, NAME_WIDTH - 3).join('')
    shown = `${escapeHtml(cut === undefined ? entry.name.slice(0, NAME_WIDTH - 3) : toBinary(cut))}..&gt;</a>`
  } else {
    const mark = length < NAME_WIDTH ? slash : ''
    shown = `${escapeHtml(entry.name)}${mark}</a>${' '.repeat(NAME_WIDTH - length - mark.length)}`
  }
  return `${link}${shown} ${listingTime(entry.mtime, options.localtime)} ${sizeText(entry, options.exactSize)}\r\n`
}

/** `28-Sep-1970 12:00`. */
function listingTime(seconds: number, local: boolean): string {
  const utc = new Date(seconds * 1000)
  const shown = local ? new Date((seconds - utc.getTimezoneOffset() * 60) * 1000) : utc
  const day = `${two(shown.getUTCDate())}-${MONTHS[shown.getUTCMonth()]!}-${shown.getUTCFullYear()}`
  return `${day} ${two(shown.getUTCHours())}:${two(shown.getUTCMinutes())}`
}

function sizeText({ kind, size }: FolderEntry, exact: boolean): string {
  if (exact) return (kind === 'folder' ? '-' : String(size)).padStart(19)
  if (kind === 'folder') return '-'.padStart(7)
  if (size >= GIGA) return `${rounded(size, GIGA)}G`
  if (size >= MEGA) return `${rounded(size, MEGA)}M`
  return size > 9999 ? `${rounded(size, KILO)}K` : String(size).padStart(7)
}

function rounded(size: number, unit: number): string {
  return String(Math.floor((size + unit / 2) / unit)).padStart(6)
}

/** An array of objects, in a call of `callback` when there is one. */
export function listingJson(entries: readonly FolderEntry[], callback: string): string {
  const items = entries.map(({ name, kind, mtime, size }) => {
    const type = kind === 'folder' ? 'directory' : kind
    const tail = kind === 'file' ? `, "size":${size}` : ''
    return `\r\n{ "name":"${escapeJson(name)}", "type":"${type}", "mtime":"${formatHttpDate(mtime)}"${tail} }`
  })
  const list = `[${items.join(',')}\r\n]`
  return callback === '' ? list : `/* callback */\r\n${callback}(${list});`
}

/** One element per entry. */
export function listingXml(entries: readonly FolderEntry[]): string {
  let list = '<?xml version="1.0"?>\r\n<list>\r\n'
  for (const { name, kind, mtime, size } of entries) {
    const type = kind === 'folder' ? 'directory' : kind
    const tail = kind === 'file' ? ` size="${size}"` : ''
    const time = `${new Date(mtime * 1000).toISOString().slice(0, 19)}Z`
    list += `<${type} mtime="${time}"${tail}>${escapeHtml(name)}</${type}>\r\n`
  }
  return `${list}</list>\r\n`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
