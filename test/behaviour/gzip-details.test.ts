/** Tags, dates and words of Cache-Control that decide about compression, where they are not as they should be. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { disposeAll } from '../harness/dispose.ts'
import { Peer } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const TEXT = 'a text with words, of which some come again and some come not. '

let peer: Peer
let server: Server

before(async () => {
  peer = await Peer.start(({ line }) => {
    const field = decodeURIComponent(line.split(' ')[1]!.slice(1))
    return `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${TEXT.length}\r\n${field}\r\n\r\n${TEXT}`
  })
  const location = (name: string, text: string) =>
    `location /${name}/ { ${text} proxy_pass http://127.0.0.1:${peer.port}/; }`
  server = await startViaduct(`http {
  gzip on; gzip_types *;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    ${location('gzip', 'gzip_proxied any;')}
    ${location('private', 'gzip_proxied private no-store;')}
    ${location('undated', 'gzip_proxied no_last_modified;')}
    ${location('sub', 'gzip off; sub_filter words WORDS; sub_filter_types *;')}
    ${location('subs', 'gzip off; subs_filter words WORDS; subs_filter_types *;')}
    ${location('ssi', 'gzip off; ssi on; ssi_types *;')}
    ${location('sub-time', 'gzip off; sub_filter words WORDS; sub_filter_types *; sub_filter_last_modified on;')}
  }
}`)
})

after(() => disposeAll(server, peer))

/** The head of the response whose back end sends `field`. */
async function head(place: string, field: string): Promise<string> {
  const target = `/${place}/${encodeURIComponent(field)}`
  const fields = 'Host: h\r\nConnection: close\r\nAccept-Encoding: gzip\r\nVia: 1.1 proxy'
  const text = await server.raw(`GET ${target} HTTP/1.1\r\n${fields}\r\n\r\n`)
  return text.slice(0, text.indexOf('\r\n\r\n') + 2)
}

test('a tag becomes weak, or is left out where it is none', async () => {
  const tag = async (value: string) => /\r\nETag: (.*)\r\n/.exec(await head('gzip', `ETag: ${value}`))?.[1]
  assert.equal(await tag('"t"'), 'W/"t"')
  assert.equal(await tag('W/"t"'), 'W/"t"')
  assert.equal(await tag('""'), 'W/""')
  assert.equal(await tag('W/'), undefined)
  assert.equal(await tag('t'), undefined)
})

test('gzip_proxied looks for whole words of Cache-Control', async () => {
  const packed = async (value: string) =>
    (await head('private', `Cache-Control: ${value}`)).includes('Content-Encoding: gzip')
  for (const value of ['private', 'Private', 'max-age=1, private', 'a;private , b', 'no-store', 'x,no-store']) {
    assert.equal(await packed(value), true, value)
  }
  for (const value of ['private="x"', 'private;x', 'xprivate', 'privatex', 'no-cache', 'max-age=1', 'private x']) {
    assert.equal(await packed(value), false, value)
  }
})

test('a date that cannot be read is a Last-Modified for gzip_proxied', async () => {
  assert.match(await head('undated', 'X: y'), /Content-Encoding: gzip/)
  assert.doesNotMatch(await head('undated', 'Last-Modified: yesterday'), /Content-Encoding/)
})

test('who makes another body leaves out a date that cannot be read', async () => {
  for (const place of ['sub', 'subs', 'ssi']) {
    assert.doesNotMatch(await head(place, 'Last-Modified: yesterday'), /Last-Modified/, place)
  }
  assert.match(await head('sub-time', 'Last-Modified: yesterday'), /Last-Modified: yesterday\r\n/)
})
