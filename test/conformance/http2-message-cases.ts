/** Cases of requests (RFC 9113, section 8) and of HPACK (RFC 7541). */
import { COMPRESSION_ERROR, HEADERS, PROTOCOL_ERROR } from '../../src/http/h2/wire/frames.ts'
import { encodeField } from '../../src/http/h2/wire/hpack-encoder.ts'
import {
  A,
  type Case,
  connection,
  GET,
  head,
  hpack,
  M,
  OPEN,
  once,
  P,
  raw,
  S,
  status,
  stream,
  WHOLE,
} from './http2-case.ts'

/** Requests. */
const MESSAGES: readonly Case[] = [
  { section: '8.1', name: 'GET', send: once(HEADERS, WHOLE, 1, GET), outcome: status(200) },
  { section: '8.1', name: 'HEAD', send: (c) => c.request(1, { method: 'HEAD' }), outcome: status(200) },
  {
    section: '8.1',
    name: 'POST',
    send: (c) => c.request(1, { method: 'POST', path: '/echo', body: 'x' }),
    outcome: status(200),
  },
  {
    section: '8.1',
    name: 'trailers',
    send: (c) => {
      c.request(1, { method: 'POST', path: '/echo', body: 'x', open: true })
      c.frame(HEADERS, WHOLE, 1, encodeField('x-sum', '1'))
    },
    outcome: status(200),
  },
  {
    section: '8.1',
    name: 'trailers that do not end the stream',
    send: (c) => {
      c.request(1, { method: 'POST', path: '/echo', body: 'x', open: true })
      c.frame(HEADERS, OPEN, 1, encodeField('x-sum', '1'))
    },
    outcome: stream(PROTOCOL_ERROR),
  },
  {
    section: '8.1',
    name: 'pseudo-fields in trailers',
    send: (c) => {
      c.request(1, { method: 'POST', path: '/echo', body: 'x', open: true })
      c.frame(HEADERS, WHOLE, 1, encodeField(':method', 'GET'))
    },
    outcome: stream(PROTOCOL_ERROR),
  },
  { section: '8.2', name: 'a name in upper case', send: head(['X-Up', 'x']), outcome: status(400) },
  { section: '8.2', name: 'a space in a name', send: head(['x up', 'x']), outcome: status(400) },
  { section: '8.2', name: 'a colon in a name', send: head(['x:up', 'x']), outcome: status(400) },
  { section: '8.2', name: 'NUL in a name', send: head(['x\0up', 'x']), outcome: status(400) },
  { section: '8.2', name: 'NUL behind a name', send: head(['x-up\0', 'x']), outcome: status(400) },
  { section: '8.2', name: 'CR in a value', send: head(['x-up', 'a\rb']), outcome: status(400) },
  { section: '8.2', name: 'LF in a value', send: head(['x-up', 'a\nb: c']), outcome: status(400) },
  { section: '8.2', name: 'NUL in a value', send: head(['x-up', 'a\0b']), outcome: status(400) },
  { section: '8.2', name: 'a name of no bytes', send: head(['', 'x']), outcome: connection(PROTOCOL_ERROR) },
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
    (name): Case => ({ section: '8.2.2', name, send: head([name, 'x']), outcome: status(400) }),
  ),
  { section: '8.2.2', name: 'te: trailers', send: head(['te', 'trailers']), outcome: status(200) },
  { section: '8.2.2', name: 'te: gzip', send: head(['te', 'trailers, gzip']), outcome: status(400) },
  { section: '8.3', name: 'an unknown pseudo-field', send: raw(M, S, P, A, [':what', 'x']), outcome: status(400) },
  {
    section: '8.3',
    name: 'a pseudo-field of responses',
    send: raw(M, S, P, A, [':status', '200']),
    outcome: status(400),
  },
  { section: '8.3', name: 'a pseudo-field behind a field', send: raw(M, S, P, ['x-up', 'x'], A), outcome: status(400) },
  { section: '8.3.1', name: 'no :method', send: raw(S, P, A), outcome: status(400) },
  { section: '8.3.1', name: 'no :scheme', send: raw(M, P, A), outcome: status(400) },
  { section: '8.3.1', name: 'no :path', send: raw(M, S, A), outcome: status(400) },
  { section: '8.3.1', name: 'no :authority', send: raw(M, S, P), outcome: status(400) },
  {
    section: '8.3.1',
    name: 'Host in place of :authority',
    send: raw(M, S, P, ['host', 'localhost']),
    outcome: status(200),
  },
  {
    section: '8.3.1',
    name: ':authority and another Host',
    send: raw(M, S, P, A, ['host', 'else']),
    outcome: status(400),
  },
  {
    section: '8.3.1',
    name: 'two Hosts',
    send: raw(M, S, P, ['host', 'localhost'], ['host', 'localhost']),
    outcome: status(400),
  },
  { section: '8.3.1', name: 'an empty :path', send: raw(M, S, [':path', ''], A), outcome: status(400) },
  { section: '8.3.1', name: ':path without a slash', send: raw(M, S, [':path', 'x'], A), outcome: status(400) },
  { section: '8.3.1', name: ':path with a space', send: raw(M, S, [':path', '/ HTTP/1.1'], A), outcome: status(400) },
  {
    section: '8.3.1',
    name: ':path with an asterisk',
    send: raw([':method', 'OPTIONS'], S, [':path', '*'], A),
    outcome: status(400),
  },
  { section: '8.3.1', name: ':method twice', send: raw(M, M, S, P, A), outcome: status(400) },
  { section: '8.3.1', name: ':scheme twice', send: raw(M, S, S, P, A), outcome: status(400) },
  { section: '8.3.1', name: ':path twice', send: raw(M, S, P, P, A), outcome: status(400) },
  { section: '8.3.1', name: ':authority twice', send: raw(M, S, P, A, A), outcome: status(400) },
  { section: '8.3.1', name: 'an invalid :method', send: raw([':method', 'G T'], S, P, A), outcome: status(400) },
  { section: '8.3.1', name: 'an invalid :scheme', send: raw(M, [':scheme', 'h p'], P, A), outcome: status(400) },
  {
    section: '8.3.1',
    name: 'an invalid :authority',
    send: raw(M, S, P, [':authority', 'user@host']),
    outcome: status(400),
  },
  {
    section: '8.1.1',
    name: 'content-length and less DATA',
    send: (c) => c.request(1, { method: 'POST', path: '/echo', body: 'x', fields: [['content-length', '2']] }),
    outcome: status(400),
  },
  {
    section: '8.1.1',
    name: 'content-length and more DATA',
    send: (c) => c.request(1, { method: 'POST', path: '/echo', body: 'xyz', fields: [['content-length', '2']] }),
    outcome: status(400),
  },
  {
    section: '8.1.1',
    name: 'content-length and several DATA',
    send: (c) => {
      c.request(1, { method: 'POST', path: '/echo', body: 'x', open: true, fields: [['content-length', '3']] })
      c.data(1, 'y', true)
    },
    outcome: status(400),
  },
  { section: '8.1.1', name: 'content-length and no DATA', send: head(['content-length', '1']), outcome: status(400) },
  { section: '8.1.1', name: 'an invalid content-length', send: head(['content-length', '0x1']), outcome: status(400) },
  {
    section: '8.1.1',
    name: 'content-length twice',
    send: head(['content-length', '0'], ['content-length', '0']),
    outcome: status(400),
  },
  { section: '8.5', name: 'CONNECT', send: (c) => c.request(1, { method: 'CONNECT' }), outcome: status(405) },
  { section: '9.3.8', name: 'TRACE', send: (c) => c.request(1, { method: 'TRACE' }), outcome: status(405) },
]

/** HPACK; sections of RFC 7541. */
const COMPRESSION: readonly Case[] = [
  {
    section: 'hpack 2.3.3',
    name: 'an index behind the tables',
    send: hpack('\xff\x00'),
    outcome: connection(COMPRESSION_ERROR),
  },
  {
    section: 'hpack 2.3.3',
    name: 'the name of an index behind the tables',
    send: hpack('\x7f\x00\x01x'),
    outcome: connection(COMPRESSION_ERROR),
  },
  {
    section: 'hpack 4.2',
    name: 'a size update at the end of a block',
    send: hpack('\x20'),
    outcome: connection(COMPRESSION_ERROR),
  },
  {
    section: 'hpack 5.1',
    name: 'an integer that is too large',
    send: hpack('\xff\xff\xff\xff\xff\xff'),
    outcome: connection(COMPRESSION_ERROR),
  },
  {
    section: 'hpack 5.2',
    name: 'padding of more than a byte',
    send: hpack('\x00\x01x\x84\x49\x50\x9f\xff'),
    outcome: connection(COMPRESSION_ERROR),
  },
  {
    section: 'hpack 5.2',
    name: 'padding that is not all ones',
    send: hpack('\x00\x01x\x83\x49\x50\x90'),
    outcome: connection(COMPRESSION_ERROR),
  },
  {
    section: 'hpack 5.2',
    name: 'the end of text',
    send: hpack('\x00\x01x\x84\xff\xff\xff\xff'),
    outcome: connection(COMPRESSION_ERROR),
  },
  { section: 'hpack 6.1', name: 'index 0', send: hpack('\x80'), outcome: connection(COMPRESSION_ERROR) },
  { section: 'hpack 6.2.1', name: 'literal with indexing', send: hpack('\x40\x01x\x01y\xbe'), outcome: status(200) },
  {
    section: 'hpack 6.2.1',
    name: 'literal with indexing and Huffman',
    send: hpack('\x40\x81\xf3\x82\x49\x7f'),
    outcome: status(200),
  },
  {
    section: 'hpack 6.2.1',
    name: 'literal with indexing of a known name',
    send: hpack('\x7a\x01y'),
    outcome: status(200),
  },
  { section: 'hpack 6.2.2', name: 'literal without indexing', send: hpack('\x00\x01x\x01y'), outcome: status(200) },
  {
    section: 'hpack 6.2.2',
    name: 'literal without indexing of a known name',
    send: hpack('\x0f\x2b\x01y'),
    outcome: status(200),
  },
  { section: 'hpack 6.2.3', name: 'literal never indexed', send: hpack('\x10\x01x\x01y'), outcome: status(200) },
  {
    section: 'hpack 6.2.3',
    name: 'literal never indexed of a known name',
    send: hpack('\x1f\x2b\x01y'),
    outcome: status(200),
  },
  { section: 'hpack 6.3', name: 'a size update', send: once(HEADERS, WHOLE, 1, `\x20${GET}`), outcome: status(200) },
  {
    section: 'hpack 6.3',
    name: 'several size updates',
    send: once(HEADERS, WHOLE, 1, `\x20\x3f\xe1\x1f${GET}`),
    outcome: status(200),
  },
  {
    section: 'hpack 6.3',
    name: 'too large a size update',
    send: once(HEADERS, WHOLE, 1, `\x3f\xe2\x1f${GET}`),
    outcome: connection(COMPRESSION_ERROR),
  },
]

/** All of them. */
export const MESSAGE_CASES: readonly Case[] = [...MESSAGES, ...COMPRESSION]
