/**
 * What `large_client_header_buffers` means over HTTP/2, as in nginx: no text may be longer than a buffer as it is written,
 * be it coded by Huffman or not; and all fields together, decoded, fit into all buffers.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  GOAWAY,
  HEADERS,
  u32,
} from '../../src/http/h2/wire/frames.ts'
import { blockOf, H2Client, requestFields } from '../harness/h2-client.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `http { server {
  listen 127.0.0.1:%%PORT_0%%; http2 on; large_client_header_buffers 4 1000; connection_pool_size 256; client_header_buffer_size 512;
  return 200 "$http_x"; }
  server { listen 127.0.0.1:%%PORT_1%%; http2 on; return 200 "$http_x_899"; } }`

const HEAD = blockOf(requestFields())
/** The last entry of the dynamic table. */
const LAST_ENTRY = '\xbe'
const FRAME_SIZE = 16384

/** A length with a prefix of seven bits. */
function length(size: number, flag = 0): string {
  if (size < 127) return String.fromCharCode(flag | size)
  let text = String.fromCharCode(flag | 127)
  let rest = size - 127
  for (; rest >= 128; rest >>= 7) text += String.fromCharCode(0x80 | (rest & 0x7f))
  return text + String.fromCharCode(rest)
}

const literal = (text: string): string => length(text.length) + text

/** `count` (a multiple of eight) times the letter a, in five bytes for eight of them. */
function coded(count: number): string {
  // Huffman's code of a is 00011.
  const eight = '\x18\xc6\x31\x8c\x63'
  return length((count / 8) * 5, 0x80) + eight.repeat(count / 8)
}

const field = (name: string, value: string): string => '\0' + literal(name) + value
const remembered = (name: string, value: string): string => '\x40' + literal(name) + value

/** Sends heads one after the other; each is answered, or ends the connection. */
async function ask(server: Server, port: number, blocks: readonly string[]): Promise<(string | number)[]> {
  await using client = await H2Client.connect(server.prefix.port(port))
  const answers: (string | number)[] = []
  for (const [i, block] of blocks.entries()) {
    const id = 2 * i + 1
    for (let at = 0; at < block.length; at += FRAME_SIZE) {
      const flags = (at === 0 ? END_STREAM : 0) | (at + FRAME_SIZE >= block.length ? END_HEADERS : 0)
      client.frame(at === 0 ? HEADERS : CONTINUATION, flags, id, block.slice(at, at + FRAME_SIZE))
    }
    const last = await client.waitFor((f) => f.type === GOAWAY || (f.stream === id && (f.flags & END_STREAM) !== 0))
    answers.push(last.type === GOAWAY ? u32(last.payload, 4) : client.soFar(id).body)
  }
  return answers
}

test('limits of fields', async (t) => {
  await using server = await startViaduct(CONF)
  const check = (name: string, blocks: readonly string[], expected: readonly (string | number)[], port = 0) =>
    t.test(name, async () => assert.deepEqual(await ask(server, port, blocks), expected))

  await check('a value as long as a buffer', [HEAD + field('x', literal('v'.repeat(1000)))], ['v'.repeat(1000)])
  await check('a longer one', [HEAD + field('x', literal('v'.repeat(1001)))], [ENHANCE_YOUR_CALM])
  await check('a longer name', [HEAD + field('n'.repeat(1001), literal('v'))], [ENHANCE_YOUR_CALM])
  await check('a value that decodes to more', [HEAD + field('x', coded(1600))], ['a'.repeat(1600)])
  await check('one too long even as it is coded', [HEAD + field('x', coded(1608))], [ENHANCE_YOUR_CALM])
  await check(
    'a value in the table is longer than a buffer',
    [HEAD + remembered('x', coded(1600)), HEAD + LAST_ENTRY, HEAD + LAST_ENTRY.repeat(3)],
    ['a'.repeat(1600), 'a'.repeat(1600), ENHANCE_YOUR_CALM],
  )
  await check('all fields count as decoded', [HEAD + field('x', coded(1600)).repeat(3)], [ENHANCE_YOUR_CALM])
  const many = Array.from({ length: 900 }, (_, i) => field(`x-${i}`, literal('v'.repeat(30)))).join('')
  await check('lengths of fields do not count', [HEAD + many], ['v'.repeat(30)], 1)
  const more = Array.from({ length: 900 }, (_, i) => field(`x-${i}`, literal('v'.repeat(34)))).join('')
  await check('but their texts', [HEAD + more], [ENHANCE_YOUR_CALM], 1)
})
