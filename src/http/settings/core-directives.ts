/**
 * Directives of ngx_http_core_module that the engine itself obeys: connections, request heads and bodies, responses.
 * (Those that one module obeys alone, such as `try_files`, stand in that module.)
 */
import {
  bits,
  failDirective,
  flag,
  milliseconds,
  none,
  number,
  offset,
  oneOf,
  prefixPath,
  raw,
  size,
  sizeList,
  tableSize,
  text,
  word,
} from '../../config/args.ts'
import { mapped } from '../../config/combine.ts'
import {
  type Args,
  type BlockValue,
  block,
  type ConfOf,
  type Context,
  type Directive,
  directive,
  directives,
} from '../../config/directive.ts'
import { parseNumber, parseOffset, parseSize } from '../../config/units.ts'
import { readTemplate, type Template, template, templates } from '../../value/template.ts'
import type { TempPath } from '../files/temp-file.ts'
import { keepaliveTimeout, type LocationHead, listen, locationHead, serverName } from './core-readers.ts'
import { sizeTemplate } from './size-reader.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']
const HSLI: readonly Context[] = ['http', 'server', 'location', 'if']
const HS: readonly Context[] = ['http', 'server']

/** One `error_page`: `replace` is -1 (keep the status), 0 (the page's own, from `=`) or a status. */
export interface ErrorPage {
  readonly statuses: readonly number[]
  readonly replace: number
  readonly target: Template
}

const errorPage: Args<ErrorPage> = {
  syntax: 'code ... [=[response]] uri',
  min: 2,
  max: Number.POSITIVE_INFINITY,
  read(list, at) {
    const target = readTemplate(list.at(-1)!, at)
    let codes = list.slice(0, -1)
    let replace = -1
    const last = codes.at(-1)!
    if (last.text.startsWith('=')) {
      replace = last.text === '=' ? 0 : (parseNumber(last.text.slice(1)) ?? -1)
      if (replace < 0) at.fail(`invalid value "${last.text}"`, last)
      codes = codes.slice(0, -1)
      if (codes.length === 0) at.fail(`invalid value "${last.text}"`, last)
    }
    const statuses = codes.map((w) => {
      const code = parseNumber(w.text)
      if (code === undefined || code === 499) return at.fail(`invalid value "${w.text}"`, w)
      if (code < 300 || code > 599) at.fail(`value "${w.text}" must be between 300 and 599`, w)
      return code
    })
    return { statuses, replace, target }
  },
}

/** `client_body_in_file_only`, `lingering_close` and the like stay as the words that were written. */
const noEffect = (reason: string) => ({ withoutEffect: reason })
const HASHES = noEffect('Viaduct sizes its tables itself.')
const AIO = noEffect('Viaduct reads files in its own way.')

/** `aio`; `pool` is undefined for nginx's default one. */
interface Asynchronous {
  readonly mode: 'on' | 'off' | 'threads'
  readonly pool: Template | undefined
}

const asynchronous = word('on | off | threads[=pool]', (w, at): Asynchronous => {
  const { text: mode } = w
  if (mode === 'on' || mode === 'off' || mode === 'threads') return { mode, pool: undefined }
  if (!mode.startsWith('threads=')) return failDirective(at, 'invalid value', w)
  return { mode: 'threads', pool: readTemplate({ ...w, text: mode.slice('threads='.length) }, at) }
})

const directSize = word('size | off', (w, at) =>
  w.text === 'off' ? undefined : (parseOffset(w.text) ?? failDirective(at, 'invalid value', w)),
)

/** nginx for Linux says so, too. */
export const sendLowat: Args<number> = mapped(size, (bytes, [w], at) => {
  at.warn(`"${at.directive.text}" is not supported, ignored`, w)
  return bytes
})

/** What nginx's pools need, whose sizes are multiples of an alignment. */
const POOL_SIZE_MIN = 112
const POOL_ALIGNMENT = 16

const poolSize = word('size', (w, at) => {
  const bytes = parseSize(w.text)
  if (bytes === undefined) return failDirective(at, 'invalid value', w)
  if (bytes < POOL_SIZE_MIN) return at.fail(`the pool size must be no less than ${POOL_SIZE_MIN}`, w)
  if (bytes % POOL_ALIGNMENT !== 0) return at.fail(`the pool size must be a multiple of ${POOL_ALIGNMENT}`, w)
  return bytes
})

/** One mapping of `types`: extensions that have a media type. */
interface TypeEntry {
  readonly type: string
  readonly extensions: readonly string[]
}
const typeEntry: Args<TypeEntry> = {
  syntax: 'type extension ...',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  read: ([type, ...extensions]) => ({ type: type!.text, extensions: extensions.map((w) => w.text.toLowerCase()) }),
}

const requestDirectives = {
  client_header_timeout: directive({
    in: HS,
    args: milliseconds,
    default: '60s',
    doc: 'Time for a client to send the whole request head; then 408.',
  }),
  client_header_buffer_size: directive({
    in: HS,
    args: size,
    default: '1k',
    doc: 'Size of the first buffer for a request head; longer heads use large_client_header_buffers.',
  }),
  large_client_header_buffers: directive({
    in: HS,
    args: sizeList,
    default: '4 8k',
    doc: 'Number and size of buffers for long request heads. A longer request line is answered 414, a longer field 400.',
  }),
  max_headers: directive({
    in: HS,
    args: number('number'),
    default: '1000',
    since: '1.29.8',
    doc: 'Most header fields a request may have.',
  }),
  ignore_invalid_headers: directive({
    in: HS,
    args: flag,
    default: 'on',
    doc: 'Drops fields with names that are not letters, digits, hyphens (and underscores, where allowed).',
  }),
  underscores_in_headers: directive({
    in: HS,
    args: flag,
    default: 'off',
    doc: 'Takes names with underscores for valid.',
  }),
  merge_slashes: directive({
    in: HS,
    args: flag,
    default: 'on',
    doc: 'Makes one slash of several in a URI before locations are matched.',
  }),
  client_max_body_size: directive({
    in: HSL,
    args: offset,
    default: '1m',
    doc: 'Largest request body; a larger one is answered 413. 0 means no limit.',
  }),
  client_body_buffer_size: directive({
    in: HSL,
    args: size,
    default: '16k',
    doc: 'Memory for a request body; a longer one goes to a temporary file.',
  }),
  client_body_timeout: directive({
    in: HSL,
    args: milliseconds,
    default: '60s',
    doc: 'Longest time between two reads of a request body.',
  }),
  client_body_temp_path: directive({
    in: HSL,
    args: prefixPathLevels(),
    default: 'client_body_temp',
    doc: 'Folder for request bodies that do not fit into memory, with up to three levels of sub-folders.',
  }),
  client_body_in_file_only: directive({
    in: HSL,
    args: oneOf('on', 'clean', 'off'),
    default: 'off',
    doc: 'Keeps every request body in a file: `clean` removes it after the request, `on` does not.',
  }),
  client_body_in_single_buffer: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Keeps a request body in one buffer.',
    ...noEffect('A body in memory is always one buffer.'),
  }),
  lingering_close: directive({
    in: HSL,
    args: oneOf('off', 'on', 'always'),
    default: 'on',
    doc: 'Reads what a client still sends before closing, so that it gets the response and no reset.',
  }),
  lingering_time: directive({
    in: HSL,
    args: milliseconds,
    default: '30s',
    doc: 'Longest time that a closing connection is read.',
  }),
  lingering_timeout: directive({
    in: HSL,
    args: milliseconds,
    default: '5s',
    doc: 'Longest wait for more data of a closing connection.',
  }),
}

const connectionDirectives = {
  keepalive_timeout: directive({
    in: HSL,
    args: keepaliveTimeout,
    default: '75s',
    doc: 'How long an idle connection stays open, and what `Keep-Alive: timeout=` tells the client. 0 turns keep-alive off.',
  }),
  keepalive_requests: directive({
    in: HSL,
    args: number('number'),
    default: '1000',
    doc: 'Most requests over one connection.',
  }),
  keepalive_time: directive({
    in: HSL,
    args: milliseconds,
    default: '1h',
    doc: 'Longest time that requests are served over one connection.',
  }),
  keepalive_min_timeout: directive({
    in: HSL,
    args: milliseconds,
    default: '0',
    since: '1.27.4',
    doc: 'Shortest time that an idle connection is kept, also while the worker shuts down.',
  }),
  keepalive_disable: directive({
    in: HSL,
    args: { ...bits('none', 'msie6', 'safari'), max: 2 },
    default: 'msie6',
    doc: 'Turns keep-alive off for misbehaving browsers: msie6, safari, none.',
  }),
  send_timeout: directive({
    in: HSL,
    args: milliseconds,
    default: '60s',
    doc: 'Longest time between two writes to a client that does not read.',
  }),
  reset_timedout_connection: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Closes timed-out connections (and status 444) by a reset.',
  }),
  tcp_nodelay: directive({ in: HSL, args: flag, default: 'on', doc: 'Sends small packets at once.' }),
  tcp_nopush: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Sends head and file in full packets.',
    ...noEffect('Output of one event always leaves together.'),
  }),
}

const responseDirectives = {
  server_tokens: directive({
    in: HSL,
    args: template('on | off | build | string'),
    default: 'on',
    doc: 'What `Server:` and error pages tell: name and version, the name alone, or a text.',
  }),
  server_identity: directive({
    in: ['http'],
    args: oneOf('viaduct', 'nginx'),
    default: 'viaduct',
    doc: 'The name that server_tokens speaks of. `nginx` is for tools that look for it. Viaduct only.',
  }),
  absolute_redirect: directive({ in: HSL, args: flag, default: 'on', doc: 'Makes redirects of the server absolute.' }),
  server_name_in_redirect: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Uses the first server name in absolute redirects, not the name that was asked for.',
  }),
  port_in_redirect: directive({ in: HSL, args: flag, default: 'on', doc: 'Tells the port in absolute redirects.' }),
  chunked_transfer_encoding: directive({
    in: HSL,
    args: flag,
    default: 'on',
    doc: 'Sends bodies of unknown length chunked to HTTP/1.1 clients.',
  }),
  etag: directive({ in: HSL, args: flag, default: 'on', doc: 'Adds ETag to static files.' }),
  if_modified_since: directive({
    in: HSL,
    args: oneOf('off', 'exact', 'before'),
    default: 'exact',
    doc: 'How If-Modified-Since is compared with the time of the response.',
  }),
  max_ranges: directive({
    in: HSL,
    args: number('number'),
    doc: 'Most ranges of one request; with more the whole file is sent. 0 turns ranges off.',
  }),
  default_type: directive({
    in: HSL,
    args: text('mime-type'),
    default: 'text/plain',
    doc: 'Media type of what has no other.',
  }),
  types: block({
    in: HSL,
    args: none,
    opens: 'types',
    entry: typeEntry,
    doc: 'Media types by file extension.',
  }),
  error_page: directives({ in: HSLI, args: errorPage, doc: 'The URI that answers in place of an error.' }),
  recursive_error_pages: directive({ in: HSL, args: flag, default: 'off', doc: 'Lets error pages have error pages.' }),
  msie_padding: directive({ in: HSL, args: flag, default: 'on', doc: 'Pads error pages for old browsers.' }),
  msie_refresh: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Sends refreshes to old browsers for redirects.',
  }),
  limit_rate: directive({
    in: HSLI,
    args: sizeTemplate('rate'),
    default: '0',
    doc: 'Bytes per second of one response; 0 means no limit.',
  }),
  limit_rate_after: directive({
    in: HSLI,
    args: sizeTemplate('size'),
    default: '0',
    doc: 'Bytes that are sent before limit_rate holds.',
  }),
  log_not_found: directive({ in: HSL, args: flag, default: 'on', doc: 'Logs missing files as errors.' }),
  log_subrequest: directive({ in: HSL, args: flag, default: 'off', doc: 'Writes subrequests to the access log.' }),
  subrequest_output_buffer_size: directive({
    in: HSL,
    args: size,
    default: '8k',
    doc: 'Largest body of a subrequest that is kept in memory.',
  }),
  early_hints: directive({
    in: HSL,
    args: templates,
    duplicate: false,
    doc: 'Passes early hints (103) of back ends on when one of the values is neither empty nor "0".',
  }),
  satisfy: directive({
    in: HSL,
    args: oneOf('all', 'any'),
    default: 'all',
    doc: 'Whether all access modules must allow a request, or one.',
  }),
  auth_delay: directive({ in: HSL, args: milliseconds, default: '0s', doc: 'Delays answers 401.' }),
  sendfile: directive({
    in: HSLI,
    args: flag,
    default: 'off',
    doc: 'Has the kernel send files that are not kept in memory: without TLS and filters, with the `io_uring` event method.',
  }),
}

const withoutEffect = {
  aio: directive({
    in: HSL,
    args: asynchronous,
    default: 'off',
    doc: 'Asynchronous reading.',
    ...AIO,
  }),
  aio_write: directive({ in: HSL, args: flag, default: 'off', doc: 'Asynchronous writing.', ...AIO }),
  directio: directive({
    in: HSL,
    args: directSize,
    default: 'off',
    doc: 'Reading past the page cache.',
    ...AIO,
  }),
  directio_alignment: directive({ in: HSL, args: offset, default: '512', doc: 'Alignment for directio.', ...AIO }),
  read_ahead: directive({ in: HSL, args: size, default: '0', doc: 'Read-ahead of the kernel.', ...AIO }),
  sendfile_max_chunk: directive({
    in: HSL,
    args: size,
    default: '2m',
    doc: 'Most bytes of one sendfile call; there are never more than 2 MB.',
  }),
  output_buffers: directive({ in: HSL, args: sizeList, default: '2 32k', doc: 'Buffers for reading files.', ...AIO }),
  postpone_output: directive({
    in: HSL,
    args: size,
    default: '1460',
    doc: 'Least bytes to send at once.',
    ...noEffect('Output of one event always leaves together.'),
  }),
  send_lowat: directive({
    in: HSL,
    args: sendLowat,
    doc: 'Send low-water mark.',
    ...noEffect('It works on FreeBSD alone.'),
  }),
  connection_pool_size: directive({ in: HS, args: poolSize, default: '512', doc: 'Pool of a connection.', ...HASHES }),
  request_pool_size: directive({ in: HS, args: poolSize, default: '4k', doc: 'Pool of a request.', ...HASHES }),
  types_hash_max_size: directive({ in: HSL, args: tableSize, default: '1024', doc: 'Table of types.', ...HASHES }),
  types_hash_bucket_size: directive({
    in: HSL,
    args: tableSize,
    default: '64',
    doc: 'Table of types.',
    ...HASHES,
  }),
  server_names_hash_max_size: directive({
    in: ['http'],
    args: tableSize,
    default: '512',
    doc: 'Table of server names.',
    ...HASHES,
  }),
  server_names_hash_bucket_size: directive({
    in: ['http'],
    args: tableSize,
    default: '64',
    doc: 'Table of server names.',
    ...HASHES,
  }),
  variables_hash_max_size: directive({
    in: ['http'],
    args: tableSize,
    default: '1024',
    doc: 'Table of variables.',
    ...HASHES,
  }),
  variables_hash_bucket_size: directive({
    in: ['http'],
    args: tableSize,
    default: '64',
    doc: 'Table of variables.',
    ...HASHES,
  }),
}

/** Files are named by a number of ten digits, of which levels take some. */
const LEVEL_DIGITS_MAX = 10

/** Reads `client_body_temp_path` and its like. */
export function prefixPathLevels(): Args<TempPath> {
  const path = prefixPath()
  return {
    syntax: 'path [level1 [level2 [level3]]]',
    min: 1,
    max: 4,
    read(list, at) {
      const levels = list.slice(1).map((w) => parseNumber(w.text) || failDirective(at, 'invalid value', w))
      const digits = levels.reduce((sum, level) => sum + level, 0)
      if (digits > LEVEL_DIGITS_MAX) return failDirective(at, 'invalid value', list.at(-1))
      return { path: path.read(list, at), levels }
    },
  }
}

/** What the engine reads in every location. */
export const core = { ...requestDirectives, ...connectionDirectives, ...responseDirectives, ...withoutEffect }
/** The settings of `core`. */
export type CoreConf = ConfOf<typeof core>

const location: Directive<readonly BlockValue<LocationHead>[]> = block({
  in: ['server', 'location'],
  args: locationHead,
  opens: 'location',
  doc: 'Settings for a part of the URI space.',
})
/** The blocks and directives that shape the tree. */
export const structure = {
  http: block({
    in: ['main'],
    args: none,
    opens: 'http',
    duplicate: '"http" directive is duplicate',
    doc: 'The web server.',
  }),
  server: block({ in: ['http'], args: none, opens: 'server', reading: 'late', doc: 'A virtual server.' }),
  location,
  listen: directives({
    in: ['server'],
    args: listen,
    inheritance: 'never',
    reading: 'head',
    doc: 'An address that the server accepts on.',
  }),
  server_name: directives({
    in: ['server'],
    args: serverName,
    inheritance: 'never',
    reading: 'head',
    doc: 'The names of a server.',
  }),
  limit_except: block({
    in: ['location'],
    args: raw('method ...', { min: 1 }),
    opens: 'limit_except',
    duplicate: '"limit_except" directive is duplicate',
    doc: 'Settings for all methods but these (GET includes HEAD).',
  }),
  internal: directive({
    in: ['location'],
    args: none,
    inheritance: 'never',
    doc: 'The location answers redirects and subrequests of the server only.',
  }),
}
