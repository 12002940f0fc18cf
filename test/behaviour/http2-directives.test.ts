/** The directives of HTTP/2: what is refused, what is obsolete, in nginx's words. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prefix } from '../harness/server.ts'

const CASES: readonly (readonly [line: string, message: RegExp])[] = [
  ['http2 maybe;', /\[emerg\] invalid value "maybe" in "http2" directive, it must be "on" or "off" in/],
  ['http2_chunk_size 0;', /\[emerg\] the http2 chunk size cannot be zero in/],
  ['http2_body_preread_size 2147483648;', /\[emerg\] the maximum body preread buffer size is 2147483647 in/],
  ['http2_recv_buffer_size 16;', /\[emerg\] "http2_recv_buffer_size" directive value is too small in/],
  ['http2_pool_size 90;', /\[emerg\] the pool size must be no less than 112 in/],
  ['http2_pool_size 1000;', /\[emerg\] the pool size must be a multiple of 16 in/],
  ['http2_streams_index_size 33;', /\[emerg\] "http2_streams_index_size" directive must be a power of two in/],
  ['http2_max_concurrent_streams many;', /\[emerg\] "http2_max_concurrent_streams" directive invalid number in/],
  [
    'http2_max_requests 1;',
    /\[warn\] the "http2_max_requests" directive is obsolete, use the "keepalive_requests" directive instead in/,
  ],
  [
    'http2_max_field_size 1k;',
    /\[warn\] the "http2_max_field_size" directive is obsolete, use the "large_client_header_buffers" directive instead/,
  ],
  [
    'http2_max_header_size 1k;',
    /\[warn\] the "http2_max_header_size" directive is obsolete, use the "large_client_header_buffers" directive/,
  ],
  [
    'http2_recv_timeout 1s;',
    /\[warn\] the "http2_recv_timeout" directive is obsolete, use the "client_header_timeout" directive instead/,
  ],
  [
    'http2_idle_timeout 1s;',
    /\[warn\] the "http2_idle_timeout" directive is obsolete, use the "keepalive_timeout" directive instead/,
  ],
  ['http2_push_preload on;', /\[warn\] the "http2_push_preload" directive is obsolete, ignored in/],
  ['http2_push /x;', /\[warn\] the "http2_push" directive is obsolete, ignored in/],
  ['http2_max_concurrent_pushes 1;', /\[warn\] the "http2_max_concurrent_pushes" directive is obsolete, ignored in/],
  [
    'server { listen 127.0.0.1:1 http2; }',
    /\[warn\] the "listen \.\.\. http2" directive is deprecated, use the "http2" directive instead in/,
  ],
]

for (const [line, message] of CASES) {
  test(line, async () => {
    await using prefix = await Prefix.create(`error_log error.log; pid pid; events {} http {\n${line}\n}`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.match(stderr, message)
    assert.equal(code, message.source.includes('emerg') ? 1 : 0, stderr)
  })
}
