/** mp4 and flv: parts of videos by their arguments, with ranges, to every kind of client. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { connect } from 'node:http2'
import { test } from 'node:test'
import { Dice } from '../harness/dice.ts'
import { makeMovie, makeTrack, readMovie } from '../harness/mp4.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  types { video/mp4 mp4; video/x-flv flv; text/html html; }
  log_format rate "$uri $limit_rate";
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    root %%DIR%%;
    location / { mp4; }
    location /small/ { alias %%DIR%%/; mp4; mp4_buffer_size 100; mp4_max_buffer_size 200; }
    location /paced/ { alias %%DIR%%/; mp4; mp4_limit_rate 2.5; mp4_limit_rate_after 1h; access_log %%DIR%%/rate.log rate; }
    location ~ \\.flv$ { flv; }
    location /page.html { ssi on; }
    location /gated/ { alias %%DIR%%/; mp4; auth_request /gate; }
    location /gate { return 204; }
  }
}`
const dice = new Dice(11)
const TRACKS = [makeTrack(dice, 200, 10)]
const MOVIE = makeMovie(dice, TRACKS, { moovFirst: false, large: false })
const LONG = [makeTrack(dice, 30_000, 10)]
const LONG_MOVIE = makeMovie(dice, LONG, { moovFirst: true, large: true })
const FLV = Buffer.concat([
  Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0', 'latin1'),
  Buffer.from('0123456789'.repeat(100)),
])
const PAGE = `<!--#include virtual="/a.mp4?start=1" --> and <!--#include virtual="/a.flv?start=500" -->.`
const FILES = {
  'page.html': PAGE,
  'a.mp4': MOVIE,
  'long.mp4': LONG_MOVIE,
  'bad.mp4': Buffer.from('this is no video'),
  'a.flv': FLV,
  'fragmented.mp4': Buffer.from('\0\0\0\x08moov\0\0\0\x08mdat\0\0\0\x08mdat', 'latin1'),
  // An atom without a size ends the reading of the whole file, wherever it stands.
  'over.mp4': overMovie(),
  'folder.mp4/index.html': 'x',
}

function overMovie(): Buffer {
  const movie = Buffer.from(makeMovie(dice, TRACKS, { moovFirst: true, large: false }))
  movie.writeUInt32BE(0, movie.indexOf('stsd') - 4)
  return movie
}

async function get(server: Server, path: string, init: RequestInit = {}) {
  const response = await fetch(server.url(path), init)
  const bytes = Buffer.from(await response.arrayBuffer())
  return { status: response.status, fields: response.headers, bytes }
}

test('videos from a moment to another', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  assert.deepEqual((await get(server, '/a.mp4')).bytes, MOVIE)
  assert.deepEqual((await get(server, '/a.mp4?start=x')).bytes, MOVIE)
  for (const query of ['start=1', 'start=1.0&end=2', 'end=1.5', 'START=0.5000001&end=.75', 'start=0']) {
    const { status, fields, bytes } = await get(server, `/a.mp4?${query}`)
    assert.equal(status, 200, query)
    assert.equal(fields.get('content-type'), 'video/mp4')
    assert.equal(fields.get('content-length'), String(bytes.length))
    const [{ samples }] = readMovie(bytes) as [ReturnType<typeof readMovie>[0]]
    assert.ok(samples.length > 0 && samples.length <= 200)
    const head = await get(server, `/a.mp4?${query}`, { method: 'HEAD' })
    assert.equal(head.fields.get('content-length'), String(bytes.length))
    const range = await get(server, `/a.mp4?${query}`, { headers: { range: 'bytes=10-1000' } })
    assert.equal(range.status, 206)
    assert.deepEqual(range.bytes, bytes.subarray(10, 1001))
    assert.equal((await get(server, `/a.mp4?${query}`, { headers: { range: 'bytes=0-1,5-6' } })).status, 200)
  }
})

test('a range of a huge video is sought, not read up to', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  // The media data ends with a hole, behind which the index lies.
  const hole = 2 ** 38
  const moov = MOVIE.indexOf('moov') - 4
  const mdat = MOVIE.indexOf('mdat') - 4
  const head = Buffer.alloc(16)
  head.writeUInt32BE(1, 0)
  head.write('mdat', 4)
  head.writeBigUInt64BE(BigInt(moov - mdat + 8 + hole), 8)
  const file = server.prefix.path('huge.mp4')
  const fd = fs.openSync(file, 'w')
  const front = Buffer.concat([MOVIE.subarray(0, mdat), head, MOVIE.subarray(mdat + 8, moov)])
  fs.writeSync(fd, front, 0, front.length, 0)
  fs.writeSync(fd, MOVIE, moov, MOVIE.length - moov, front.length + hole)
  fs.closeSync(fd)
  const { status, fields, bytes } = await get(server, '/huge.mp4?start=0', { headers: { range: 'bytes=-10' } })
  assert.equal(status, 206)
  assert.ok(Number(fields.get('content-range')!.split('/')[1]) > hole)
  assert.deepEqual(bytes, Buffer.alloc(10))
  const first = await get(server, '/huge.mp4?start=0', { headers: { range: 'bytes=0-3999' } })
  assert.equal(first.bytes.length, 4000)
  assert.equal(first.bytes.indexOf('moov') - 4, MOVIE.readUInt32BE(0))
})

test('long videos are read from the disk, over HTTP/2 too', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  assert.ok(LONG_MOVIE.length > 400_000)
  const { bytes } = await get(server, '/long.mp4?start=100&end=200')
  const [{ samples }] = readMovie(bytes) as [ReturnType<typeof readMovie>[0]]
  const first = LONG[0]!.samples.findIndex((sample) => sample.bytes === samples[0]!.bytes)
  assert.deepEqual(samples, LONG[0]!.samples.slice(first, first + samples.length))
  const session = connect(server.url('/'))
  const stream = session.request({ ':path': '/long.mp4?start=100&end=200' })
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  assert.deepEqual(Buffer.concat(parts), bytes)
  session.close()
})

test('what is refused', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const cases: readonly [string, RequestInit, number][] = [
    ['/a.mp4', { method: 'POST' }, 405],
    ['/none.mp4?start=1', {}, 404],
    ['/bad.mp4', {}, 200],
    ['/bad.mp4?start=1', {}, 500],
    ['/a.mp4?start=1000', {}, 500],
    ['/a.mp4?start=9223372036854775', {}, 500],
    ['/a.mp4?start=9223372036854777', {}, 200],
    ['/fragmented.mp4?end=1', {}, 500],
    ['/over.mp4?start=1', {}, 500],
    ['/small/a.mp4?start=1', {}, 500],
    ['/folder.mp4?start=1', { redirect: 'manual' }, 301],
    ['/folder.mp4/', {}, 200],
    ['/a.flv', { method: 'PUT', body: 'x' }, 405],
    ['/none.flv', {}, 404],
  ]
  for (const [path, init, status] of cases) assert.equal((await get(server, path, init)).status, status, path)
  await server.logged(/"\S+\/a.mp4" mp4 moov atom is too large:\d+, you may want to increase mp4_max_buffer_size/)
  await server.logged(/"\S+\/a.mp4" mp4 start time exceeds file duration/)
  await server.logged(/duplicate mp4 mdat atom in "\S+\/fragmented.mp4"/)
  await server.logged(/no mp4 mdat atom was found in "\S+\/over.mp4"/)
})

test('videos are sent as fast as they play', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  assert.deepEqual((await get(server, '/paced/a.mp4')).bytes, MOVIE)
  await get(server, '/paced/a.mp4?start=1')
  await server.until('log', () => server.prefix.read('rate.log').split('\n').length === 3)
  const duration = TRACKS[0]!.samples.reduce((sum, sample) => sum + sample.duration, 0) / 1000
  const rate = Math.floor((MOVIE.length / duration) * 2.5)
  assert.equal(server.prefix.read('rate.log'), `/paced/a.mp4 ${rate}\n`.repeat(2))
})

test('Flash videos from a byte on', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const from = async (query: string) => (await get(server, `/a.flv${query}`)).bytes
  for (const query of ['', '?start=0', '?start=x', '?start=100000', '?start=1k']) {
    assert.deepEqual(await from(query), FLV, query)
  }
  const part = Buffer.concat([FLV.subarray(0, 13), FLV.subarray(500)])
  assert.deepEqual(await from('?start=500'), part)
  const range = await get(server, '/a.flv?start=500', { headers: { range: 'bytes=-10' } })
  assert.equal(range.fields.get('content-range'), `bytes ${part.length - 10}-${part.length - 1}/${part.length}`)
  assert.deepEqual(range.bytes, part.subarray(-10))
})

test('parts in pages, and behind other modules', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const movie = (await get(server, '/a.mp4?start=1')).bytes
  const flv = (await get(server, '/a.flv?start=500')).bytes
  const page = Buffer.concat([movie, Buffer.from(' and '), flv, Buffer.from('.')])
  assert.deepEqual((await get(server, '/page.html')).bytes, page)
  assert.deepEqual((await get(server, '/gated/a.mp4?start=1')).bytes, movie)
  for (const file of ['/a.mp4', '/a.flv']) {
    const sizes = ['', '?start=1', '?start=2'].map(async (query) => {
      const { bytes, fields } = await get(server, file + query)
      assert.ok(fields.get('etag')!.endsWith(`-${bytes.length.toString(16)}"`), 'a part has a tag of its own')
      return bytes.length
    })
    assert.equal(new Set(await Promise.all(sizes)).size, 3)
  }
  const tag = { 'if-none-match': (await get(server, '/a.mp4?start=1')).fields.get('etag')! }
  assert.equal((await get(server, '/a.mp4?start=1', { headers: tag })).status, 304)
})
