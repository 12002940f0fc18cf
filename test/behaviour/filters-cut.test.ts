/** Responses that are not whole, behind filters: nobody takes a part for all, and the part that came is sent. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { constants, gunzipSync, gzipSync } from 'node:zlib'
import { disposeAll } from '../harness/dispose.ts'
import { Peer, type PeerRequest } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'

const TEXT = 'a text with words, of which some come again and some come not. '.repeat(9)
const PACKED = gzipSync(TEXT).toString('latin1')

let peer: Peer
let server: Server

before(async () => {
  peer = await Peer.start(answer)
  server = await startViaduct(
    `http {
  gzip_types *;
  proxy_cache_path %%DIR%%/cache keys_zone=c:1m;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location /gunzip/ { gunzip on; proxy_pass http://127.0.0.1:${peer.port}/; }
    location /file/ { gunzip on; gzip_static always; alias %%DIR%%/files/; }
    location /gzip/ { gzip on; proxy_pass http://127.0.0.1:${peer.port}/; }
    location /sub/ { sub_filter words WORDS; sub_filter_types *; gzip on; proxy_pass http://127.0.0.1:${peer.port}/; }
    location /cached/ { gzip on; proxy_cache c; proxy_pass http://127.0.0.1:${peer.port}/; }
  }
}`,
    {
      files: {
        'files/whole.txt.gz': gzipSync(TEXT),
        'files/cut.txt.gz': gzipSync(TEXT).subarray(0, 40),
        'files/head.txt.gz': gzipSync(TEXT).subarray(0, 5),
        'files/several.txt.gz': Buffer.concat([gzipSync('one '), gzipSync('two')]),
        'files/second.txt.gz': Buffer.concat([gzipSync('one '), gzipSync('two').subarray(0, 15)]),
        'files/empty.txt.gz': '',
      },
    },
  )
})

after(() => disposeAll(server, peer))

function answer({ line, socket }: PeerRequest): string | undefined {
  const packed = (body: string) =>
    `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  if (line.includes('/whole')) return packed(PACKED)
  if (line.includes('/cut')) return packed(PACKED.slice(0, 40))
  if (line.includes('/nothing')) return 'HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\n\r\n'
  const fields = line.includes('/chunked') ? 'Transfer-Encoding: chunked' : 'Content-Length: 9999'
  const body = line.includes('/chunked') ? `${TEXT.length.toString(16)}\r\n${TEXT}\r\n` : TEXT
  socket.end(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=9\r\n${fields}\r\n\r\n${body}`,
    'latin1',
  )
  return undefined
}

/** The status, the body as far as it came, and whether it was whole. */
async function get(target: string, field = 'X: y'): Promise<{ status: number; body: string; whole: boolean }> {
  const text = await server.raw(`GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${field}\r\n\r\n`)
  const end = text.indexOf('\r\n\r\n')
  let body = ''
  let rest = text.slice(end + 4)
  let whole = !/\r\nTransfer-Encoding: chunked/.test(text.slice(0, end))
  if (whole) body = rest
  for (let size = -1; !whole && size !== 0; ) {
    const line = /^([0-9a-f]+)\r\n/.exec(rest)
    if (line === null) break
    size = Number.parseInt(line[1]!, 16)
    body += rest.slice(line[0].length, line[0].length + size)
    rest = rest.slice(line[0].length + size + 2)
    whole = size === 0
  }
  return { status: Number(text.slice(9, 12)), body, whole }
}

for (const place of ['gunzip', 'file']) {
  test(`a compressed body that is cut is not whole for those who cannot read it either: ${place}`, async () => {
    assert.deepEqual(await get(`/${place}/whole.txt`), { status: 200, body: TEXT, whole: true })
    const { body, whole } = await get(`/${place}/cut.txt`)
    assert.equal(whole, false)
    assert.ok(body.length > 0 && TEXT.startsWith(body))
    assert.match(server.errorLog(), /\[error\].* inflate\(\) returned -5 on response end,? .*cut\.txt/)
  })
}

test('one that ends within its head, and one whose second part does', async () => {
  assert.equal((await get('/file/head.txt')).whole, false)
  assert.deepEqual(await get('/file/several.txt'), { status: 200, body: 'one two', whole: true })
  assert.equal((await get('/file/second.txt')).whole, false)
})

test('what has no body lacks nothing of it', async () => {
  assert.deepEqual(await get('/file/empty.txt'), { status: 200, body: '', whole: true })
  assert.equal((await get('/gunzip/nothing')).status, 304)
})

for (const place of ['gzip', 'sub', 'cached']) {
  for (const framing of ['length', 'chunked']) {
    test(`what came of a response that is cut is sent compressed: ${place} ${framing}`, async () => {
      const { body, whole } = await get(`/${place}/${framing}`, 'Accept-Encoding: gzip')
      assert.equal(whole, false)
      const plain = gunzipSync(Buffer.from(body, 'latin1'), { finishFlush: constants.Z_SYNC_FLUSH }).toString('latin1')
      assert.equal(plain.trim(), (place === 'sub' ? TEXT.replace('words', 'WORDS') : TEXT).trim())
    })
  }
}
