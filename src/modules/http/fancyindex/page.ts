/** The page of a listing: a table that can be sorted by its columns, with the ids that themes for fancyindex rely on. */
import { escapeHtml, escapeUri } from '../../../http/message/uri.ts'
import { fromBinary, toBinary } from '../../../lib/bytes.ts'
import type { FolderEntry } from '../../../lib/folder.ts'
import { strftime } from '../../../lib/strftime.ts'

/** What a listing is sorted by. */
export type SortColumn = 'name' | 'size' | 'date'

/** An order of entries. */
export interface SortOrder {
  readonly column: SortColumn
  readonly descending: boolean
}

/** How a page looks. */
export interface PageOptions {
  readonly utf8: boolean
  readonly localtime: boolean
  readonly exactSize: boolean
  readonly showPath: boolean
  readonly hideParent: boolean
  readonly timeFormat: string
  /** Names longer than this are cut; 0: never. */
  readonly nameLength: number
  readonly cssHref: string
  /** The letters of the request's own order, kept in links to folders; empty without one. */
  readonly sortArgs: string
}

const LETTERS: Readonly<Record<SortColumn, string>> = { name: 'N', size: 'S', date: 'M' }
const TITLES: Readonly<Record<SortColumn, string>> = { name: 'File Name', size: 'File Size', date: 'Date' }
const WIDTHS: Readonly<Record<SortColumn, string>> = { name: '55%', size: '20%', date: '25%' }
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** The order that arguments such as `C=S&O=D` ask for; undefined when they ask for none. */
export function orderOf(args: string): SortOrder | undefined {
  const column = /(?:^|&)C=([NSM])/.exec(args)?.[1]
  const found = (Object.keys(LETTERS) as SortColumn[]).find((name) => LETTERS[name] === column)
  return found === undefined ? undefined : { column: found, descending: /(?:^|&)O=D/.test(args) }
}

/** What stands before the table where no header of one's own is given. */
export function pageStart(uri: string, { cssHref }: PageOptions): string {
  const css = cssHref === '' ? '' : `<link rel="stylesheet" href="${escapeHtml(cssHref)}">\n`
  return (
    '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n' +
    `<style>body{font-family:sans-serif}table{width:100%}th{text-align:left}td{padding:.1em .5em .1em 0}tr:hover{background:#eee}</style>\n` +
    `${css}<title>Index of ${escapeHtml(uri)}</title>\n</head>\n<body>\n`
  )
}

/** What stands behind it. */
export const PAGE_END = '</body>\n</html>\n'

/** The heading and the table. */
export function listingTable(uri: string, entries: readonly FolderEntry[], options: PageOptions): string {
  const columns: readonly SortColumn[] = ['name', 'size', 'date']
  const heads = columns.map((column) => {
    const [up, down] = ['A', 'D'].map((order) => `?C=${LETTERS[column]}&amp;O=${order}`)
    return `<th style="width:${WIDTHS[column]}"><a href="${up}">${TITLES[column]}</a>&nbsp;<a href="${down}">&nbsp;&darr;&nbsp;</a></th>`
  })
  let table = options.showPath ? `<h1>Index of: ${escapeHtml(uri)}</h1>\n` : ''
  table += `<table id="list"><thead><tr>${heads.join('')}</tr></thead>\n<tbody>\n`
  if (!options.hideParent && uri !== '/') {
    table += row(`<a href="../${options.sortArgs}">Parent directory/</a>`, '-', '-')
  }
  for (const entry of entries) table += entryRow(entry, options)
  return `${table}</tbody></table>\n`
}

function entryRow(entry: FolderEntry, options: PageOptions): string {
  const folder = entry.kind === 'folder'
  const slash = folder ? '/' : ''
  const name = escapeHtml(entry.name)
  const shown = escapeHtml(cut(entry.name, options))
  const href = escapeUri(entry.name, 'uri-component') + slash + (folder ? options.sortArgs : '')
  const link = `<a href="${href}" title="${name}">${shown}${slash}</a>`
  return row(link, sizeText(entry, options.exactSize), timeText(entry.mtime, options))
}

function row(link: string, size: string, date: string): string {
  return `<tr><td class="link">${link}</td><td class="size">${size}</td><td class="date">${date}</td></tr>\n`
}

function cut(name: string, { nameLength, utf8 }: PageOptions): string {
  if (nameLength === 0) return name
  const characters = utf8 ? [...fromBinary(name)] : [...name]
  if (characters.length <= nameLength) return name
  const kept = `${characters.slice(0, Math.max(1, nameLength - 3)).join('')}..>`
  return utf8 ? toBinary(kept) : kept
}

function sizeText({ kind, size }: FolderEntry, exact: boolean): string {
  if (kind === 'folder') return '-'
  if (exact) return String(size)
  let value = size
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${UNITS[unit]!}`
}

function timeText(seconds: number, { timeFormat, localtime }: PageOptions): string {
  return escapeHtml(strftime(timeFormat, seconds * 1000, !localtime))
}
