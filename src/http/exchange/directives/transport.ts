/**
 * What every protocol to a back end has in common: time-outs, buffering, failover, header rules. Declared once and
 * mounted as `proxy_*`, `fastcgi_*`, `uwsgi_*`, `scgi_*`, `memcached_*` (nginx declares them again per protocol).
 */
import { bits, flag, milliseconds, number, size, sizeList, text } from '../../../config/args.ts'
import { type Args, type ConfOf, type Context, directive, directives } from '../../../config/directive.ts'
import { parseLocalAddress } from '../../../lib/address.ts'
import { whyNotTransparent } from '../../../net/transparent.ts'
import { readTemplate, type Template, templates } from '../../../value/template.ts'
import { prefixPathLevels, sendLowat } from '../../settings/core-directives.ts'
import { sizeTemplate } from '../../settings/size-reader.ts'
import { httpNext } from './conditions.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']

const SOCKET_BUFFER = "buffer of connections, where the ring serves (see `use`) and no TLS is spoken; 0: the system's."

/** The options that all ways to a back end share, without the prefix (`proxy_` ...) that each gives them. */
export const transport = {
  connect_timeout: directive({ in: HSL, args: milliseconds, default: '60s', doc: 'Time to connect to a back end.' }),
  send_timeout: directive({
    in: HSL,
    args: milliseconds,
    default: '60s',
    doc: 'Longest time between two writes of a request to a back end.',
  }),
  read_timeout: directive({
    in: HSL,
    args: milliseconds,
    default: '60s',
    doc: 'Longest time between two reads of a response from a back end.',
  }),
  buffering: directive({
    in: HSL,
    args: flag,
    default: 'on',
    doc: 'Reads a response as fast as the back end sends it; off: as fast as the client takes it.',
  }),
  request_buffering: directive({
    in: HSL,
    args: flag,
    default: 'on',
    doc: 'Reads the whole request body before a back end is asked.',
  }),
  buffer_size: directive({ in: HSL, args: size, default: '4k', doc: 'Largest head of a response.' }),
  buffers: directive({
    in: HSL,
    args: sizeList,
    default: '8 4k',
    doc: 'Memory for a response that the client takes slowly.',
  }),
  busy_buffers_size: directive({
    in: HSL,
    args: size,
    doc: 'Buffers that may be busy sending.',
    withoutEffect: 'What is being sent is bounded by the buffers as a whole.',
  }),
  max_temp_file_size: directive({
    in: HSL,
    args: size,
    default: '1024m',
    doc: 'Largest temporary file for a response that does not fit into the buffers; 0: none.',
  }),
  temp_file_write_size: directive({
    in: HSL,
    args: size,
    doc: 'Bytes written to a temporary file at once.',
    withoutEffect: 'Bytes are written as they come.',
  }),
  temp_path: directive({
    in: HSL,
    args: prefixPathLevels(),
    doc: 'Folder for responses that do not fit into the buffers.',
  }),
  next_upstream: directive({
    in: HSL,
    args: httpNext,
    default: 'error timeout',
    doc: 'When a request is passed to the next server.',
  }),
  next_upstream_tries: directive({ in: HSL, args: number('number'), default: '0', doc: 'Most servers tried; 0: all.' }),
  next_upstream_timeout: directive({
    in: HSL,
    args: milliseconds,
    default: '0',
    doc: 'Time during which the next server may be tried; 0: any.',
  }),
  ignore_client_abort: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Goes on with the back end when the client has left.',
  }),
  intercept_errors: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Lets error_page answer for statuses of 300 and more that a back end sent.',
  }),
  pass_request_headers: directive({ in: HSL, args: flag, default: 'on', doc: 'Passes the fields of the request.' }),
  pass_request_body: directive({ in: HSL, args: flag, default: 'on', doc: 'Passes the body of the request.' }),
  hide_header: directives({ in: HSL, args: text('field'), doc: 'A field of the response that clients do not get.' }),
  pass_header: directives({
    in: HSL,
    args: text('field'),
    doc: 'A field that clients get although it is hidden by default.',
  }),
  ignore_headers: directive({
    in: HSL,
    args: bits(
      'X-Accel-Redirect',
      'X-Accel-Expires',
      'X-Accel-Limit-Rate',
      'X-Accel-Buffering',
      'X-Accel-Charset',
      'Expires',
      'Cache-Control',
      'Set-Cookie',
      'Vary',
    ),
    doc: 'Fields of the response that have no effect here.',
  }),
  limit_rate: directive({
    in: HSL,
    args: sizeTemplate('rate'),
    default: '0',
    doc: 'Bytes per second that are read of a response; 0: no limit.',
  }),
  half_close: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'A side of a tunnel (after 101, or CONNECT) that has sent its end may still receive; off: the tunnel ends.',
  }),
  socket_keepalive: directive({ in: HSL, args: flag, default: 'off', doc: 'Sets SO_KEEPALIVE on connections.' }),
  socket_sndbuf: directive({ in: HSL, args: size, default: '0', doc: `Send ${SOCKET_BUFFER}` }),
  socket_rcvbuf: directive({ in: HSL, args: size, default: '0', doc: `Receive ${SOCKET_BUFFER}` }),
  bind: directive({ in: HSL, args: bindAddress(), doc: 'Local address of connections to back ends.' }),
  bind_dynamic: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Finds the local address anew for each connection of a request.',
  }),
  allow_upstream: directive({
    in: HSL,
    args: templates,
    doc: 'Servers are asked only when no value is empty or 0; $upstream_last_addr tells which one it is about.',
  }),
  request_dynamic: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Makes the request anew for each server that is tried.',
  }),
  send_lowat: directive({
    in: HSL,
    args: sendLowat,
    doc: 'Send low-water mark.',
    withoutEffect: 'It works on FreeBSD alone.',
  }),
  force_ranges: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Serves ranges from responses whether or not the back end does.',
  }),
}

/** What every protocol to back ends has: how connections are made, how long that takes, how many servers are tried. */
export const connecting = {
  bind: transport.bind,
  bind_dynamic: transport.bind_dynamic,
  allow_upstream: transport.allow_upstream,
  socket_keepalive: transport.socket_keepalive,
  connect_timeout: transport.connect_timeout,
  send_timeout: transport.send_timeout,
  read_timeout: transport.read_timeout,
  next_upstream_tries: transport.next_upstream_tries,
  next_upstream_timeout: transport.next_upstream_timeout,
}

/** Where connections come from, as `proxy_bind` has it. */
export interface Bind extends Template {
  /** It need not be an address of this machine. */
  readonly transparent: boolean
}

/** `proxy_bind address`: undefined for `off`. */
function bindAddress(): Args<Bind | undefined> {
  return {
    syntax: 'address [transparent] | off',
    min: 1,
    max: 2,
    read([address, transparent], at) {
      if (transparent === undefined && address!.text === 'off') return undefined
      const template = readTemplate(address!, at)
      const { constant } = template
      if (constant !== undefined && parseLocalAddress(constant) === undefined) {
        at.fail(`invalid address "${constant}"`, address)
      }
      if (transparent !== undefined) {
        if (transparent.text !== 'transparent') at.fail(`invalid parameter "${transparent.text}"`, transparent)
        const why = whyNotTransparent()
        if (why !== '') at.fail(`transparent proxying is not possible: ${why}`, transparent)
      }
      return { ...template, transparent: transparent !== undefined }
    },
  }
}

/** The settings of `transport`. */
export type TransportConf = ConfOf<typeof transport>
export type { Template }

/**
 * The settings of a family without its prefix, as one object whose properties are all of the same form. `fixed` gives
 * those that the family has no directives for.
 */
export function transportConf(prefix: string, conf: object, fixed: Partial<TransportConf> = {}): TransportConf {
  const given = conf as Readonly<Record<string, unknown>>
  const settings = namesOf(prefix).map(([name, full]) => [name, given[full]])
  // The directives of the family are exactly these, read by these readers.
  return { ...(Object.fromEntries(settings) as TransportConf), ...fixed }
}

/** Asked for each location: the names are put together once. */
const namesByPrefix = new Map<string, readonly (readonly [string, string])[]>()

function namesOf(prefix: string): readonly (readonly [string, string])[] {
  let names = namesByPrefix.get(prefix)
  if (names === undefined) {
    names = Object.keys(transport).map((name) => [name, `${prefix}_${name}`] as const)
    namesByPrefix.set(prefix, names)
  }
  return names
}
