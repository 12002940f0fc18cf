/** image_filter: what becomes of pictures of each kind, of what is none, and of clients that leave meanwhile. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect } from 'node:http2'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { Client, Prefix, type Server, startViaduct } from '../harness/server.ts'

interface Made {
  png(options?: object): Made
  jpeg(options?: object): Made
  gif(options?: object): Made
  webp(options?: object): Made
  composite(images: readonly object[]): Made
  withExif(exif: object): Made
  raw(): Made
  toBuffer(): Promise<Buffer>
  metadata(): Promise<{ format: string; width: number; height: number; isProgressive?: boolean }>
}
type Sharp = (bytes: Buffer | object) => Made

const sharp: Sharp | undefined = find()
function find(): Sharp | undefined {
  try {
    return createRequire(import.meta.url)('sharp') as Sharp
  } catch {
    return undefined
  }
}
const needed = { skip: sharp === undefined ? 'the optional package sharp is not installed' : false }

const CONF = `
http {
  types { image/jpeg jpg; image/png png; text/plain txt; text/html html; }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    root %%DIR%%;
    add_header X-Added yes;
    location /test/ { alias %%DIR%%/; image_filter test; }
    location /size/ { alias %%DIR%%/; image_filter size; }
    location /resize/ { alias %%DIR%%/; image_filter resize 50 50; image_filter_interlace on; }
    location /crop/ { alias %%DIR%%/; image_filter crop 50 50; }
    location /rotate/ { alias %%DIR%%/; image_filter rotate $arg_angle; }
    location /both/ { alias %%DIR%%/; image_filter crop 30 60; image_filter rotate 90; image_filter_sharpen 50; }
    location /variable/ { alias %%DIR%%/; image_filter resize $arg_w $arg_h; image_filter_jpeg_quality $arg_q; }
    location /free/ { alias %%DIR%%/; image_filter resize 50 -; }
    location /flat/ { alias %%DIR%%/; image_filter resize 50 50; image_filter_transparency off; }
    location /small/ { alias %%DIR%%/; image_filter resize 50 50; image_filter_buffer 100; }
    location /page/ { alias %%DIR%%/; image_filter resize 50 50; error_page 415 = /plain.txt; }
    location ~ html$ { ssi on; }
    location /changed/ { alias %%DIR%%/; image_filter resize 50 50; image_filter_interlace on;
      sub_filter_types *; sub_filter never ever; brotli on; brotli_types *; }
    location /app/ { proxy_pass http://127.0.0.1:%%PORT_1%%; image_filter resize 50 50; image_filter_buffer 2000; }
  }
}`

/** A picture of 200 to 100 pixels: red, its upper left quarter blue. */
async function pictures() {
  const blue = { create: { width: 100, height: 50, channels: 3, background: 'blue' } }
  const base = () =>
    sharp!({ create: { width: 200, height: 100, channels: 3, background: 'red' } }).composite([
      { input: blue, left: 0, top: 0 },
    ])
  const clear = { create: { width: 200, height: 100, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } }
  return {
    'a.jpg': await base().jpeg().toBuffer(),
    'a.png': await base().png().toBuffer(),
    'a.gif': await base().gif().toBuffer(),
    'a.webp': await base().webp().toBuffer(),
    'lossless.webp': await base().webp({ lossless: true }).toBuffer(),
    'clear.png': await sharp!(clear).png().toBuffer(),
    'clear.gif': await sharp!(clear).gif().toBuffer(),
    'exif.jpg': await sharp!({ create: { width: 20, height: 20, channels: 3, background: 'red' } })
      .withExif({ IFD0: { Copyright: 'x'.repeat(2000) } })
      .jpeg()
      .toBuffer(),
    'page.html': '<!--#include virtual="/resize/a.png" -->|<!--#include virtual="/size/a.png" -->',
    'bad.html':
      'before <!--#include virtual="/resize/plain.txt" --> between <!--#include virtual="/page/plain.txt" --> after',
    'plain.txt': 'this is no picture at all\n',
    'short.png': 'short',
    'broken.png': Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(100, 1)]),
    'named.txt': await base().png().toBuffer(),
  }
}

async function start(): Promise<Server> {
  return startViaduct(CONF, { files: await pictures() })
}

async function get(server: Server, path: string, init: RequestInit = {}) {
  const response = await fetch(server.url(path), init)
  return { status: response.status, fields: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

/** Format and size of what was answered. */
async function shape(server: Server, path: string): Promise<string> {
  const { status, fields, bytes } = await get(server, path)
  if (status !== 200) return String(status)
  const { format, width, height } = await sharp!(bytes).metadata()
  assert.equal(fields.get('content-type'), `image/${format}`)
  assert.equal(fields.get('content-length'), String(bytes.length))
  return `${format} ${width}x${height}`
}

/** Whether the pixel at a place is blue rather than red. */
async function isBlue(bytes: Buffer, x: number, y: number): Promise<boolean> {
  const { width } = await sharp!(bytes).metadata()
  const raw = await sharp!(bytes).raw().toBuffer()
  const channels = raw.length % (width * 3) === 0 ? 3 : 4
  const at = (y * width + x) * channels
  return raw[at + 2]! > raw[at]!
}

test('pictures of each kind are measured, scaled, cut and turned', needed, async () => {
  await using server = await start()
  for (const [name, format] of [
    ['a.jpg', 'jpeg'],
    ['a.png', 'png'],
    ['a.gif', 'gif'],
    ['a.webp', 'webp'],
    ['lossless.webp', 'webp'],
  ]) {
    const size = await get(server, `/size/${name}`)
    assert.equal(size.bytes.toString(), `{ "img" : { "width": 200, "height": 100, "type": "${format}" } }\r\n`)
    assert.equal(size.fields.get('content-type'), 'application/json')
    assert.equal(size.fields.get('x-added'), null)
    assert.equal(await shape(server, `/resize/${name}`), `${format} 50x25`)
    assert.equal(await shape(server, `/crop/${name}`), `${format} 50x50`)
    assert.equal(await shape(server, `/rotate/${name}?angle=90`), `${format} 100x200`)
    assert.equal(await shape(server, `/rotate/${name}?angle=180`), `${format} 200x100`)
    assert.equal(await shape(server, `/rotate/${name}?angle=45`), '415')
    assert.equal(await shape(server, `/both/${name}`), `${format} 30x60`)
    assert.equal(await shape(server, `/free/${name}`), `${format} 50x25`)
    assert.equal(await shape(server, `/test/${name}`), `${format} 200x100`)
  }
  assert.equal(await shape(server, '/variable/a.jpg?w=20&h=100&q=10'), 'jpeg 20x10')
  assert.equal(await shape(server, '/variable/a.jpg?w=20&h=x&q=10'), '415')
  assert.equal(await shape(server, '/variable/a.jpg?w=20&h=10'), '415')
  const { bytes } = await get(server, '/resize/a.jpg')
  assert.equal((await sharp!(bytes).metadata()).isProgressive, true)
  // Counter-clockwise: the upper left quarter goes down.
  const turned = (await get(server, '/rotate/a.png?angle=90')).bytes
  assert.deepEqual(
    [await isBlue(turned, 10, 190), await isBlue(turned, 90, 10), await isBlue(turned, 10, 10)],
    [true, false, false],
  )
  const isClear = async (path: string) => {
    const raw = await sharp!((await get(server, path)).bytes)
      .raw()
      .toBuffer()
    return raw.length === 50 * 25 * 4 && raw[3] === 0
  }
  assert.deepEqual([await isClear('/resize/clear.gif'), await isClear('/flat/clear.gif')], [true, false])
  assert.deepEqual([await isClear('/resize/clear.png'), await isClear('/flat/clear.png')], [true, true])
})

test('what is small enough stays, but for what is not the picture', needed, async () => {
  await using server = await start()
  const { 'a.png': small, 'exif.jpg': exif } = await pictures()
  const same = await get(server, '/variable/a.png?w=200&h=100')
  assert.deepEqual(same.bytes, small)
  assert.match(same.fields.get('etag') ?? '', /^"/)
  const less = await get(server, '/resize/exif.jpg')
  assert.ok(less.bytes.length < exif.length - 1000)
  assert.match(less.fields.get('etag') ?? '', /^W\/"/)
  assert.equal(less.fields.get('accept-ranges'), null)
  assert.equal(less.fields.get('x-added'), 'yes')
  assert.equal((await get(server, '/resize/a.jpg', { headers: { range: 'bytes=0-1' } })).status, 200)
})

test('what is no picture is 415', needed, async () => {
  await using server = await start()
  for (const folder of ['test', 'resize', 'crop']) {
    for (const name of ['plain.txt', 'short.png', 'missing.png']) {
      assert.equal((await get(server, `/${folder}/${name}`)).status, 415, `${folder} ${name}`)
    }
  }
  for (const name of ['plain.txt', 'short.png', 'broken.png']) {
    const { status, bytes } = await get(server, `/size/${name}`)
    assert.deepEqual([status, bytes.toString()], [200, name === 'broken.png' ? bytes.toString() : '{}\r\n'])
  }
  assert.equal((await get(server, '/resize/broken.png')).status, 415)
  assert.equal((await get(server, '/small/a.jpg')).status, 415)
  assert.equal(await shape(server, '/test/named.txt'), 'png 200x100')
  const page = await get(server, '/page/plain.txt')
  assert.deepEqual([page.status, page.bytes.toString()], [200, 'this is no picture at all\n'])
  await server.logged(/image filter: too big response: \d+/)
})

test('HEAD and HTTP/2', needed, async () => {
  await using server = await start()
  const whole = await get(server, '/resize/a.jpg')
  const head = await get(server, '/resize/a.jpg', { method: 'HEAD' })
  assert.equal(head.bytes.length, 0)
  for (const name of ['content-type', 'content-length', 'etag'])
    assert.equal(head.fields.get(name), whole.fields.get(name))
  const session = connect(server.url('/'))
  const stream = session.request({ ':path': '/resize/a.jpg' })
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  assert.deepEqual(Buffer.concat(parts), whole.bytes)
  session.close()
})

test('beside other filters, and in pages', needed, async () => {
  await using server = await start()
  const picture = (await get(server, '/resize/a.png')).bytes
  const size = (await get(server, '/size/a.png')).bytes
  const page = await get(server, '/page.html')
  assert.deepEqual(page.bytes, Buffer.concat([picture, Buffer.from('|'), size]))
  const bad = (await get(server, '/bad.html')).bytes.toString()
  assert.match(bad, /^before [\s\S]*415 Unsupported Media Type[\s\S]* between this is no picture at all\n after$/)
  const plain = await get(server, '/changed/a.png', { headers: { 'accept-encoding': 'identity' } })
  assert.deepEqual(plain.bytes, picture)
  const packed = await get(server, '/changed/a.png', { headers: { 'accept-encoding': 'br' } })
  assert.equal(packed.fields.get('content-encoding'), 'br')
  assert.deepEqual(packed.bytes, picture)
})

test('pictures of back ends', needed, async () => {
  await using server = await start()
  const { 'a.png': png } = await pictures()
  const app = createServer((req, res) => {
    const { pathname } = new URL(`http://h${req.url}`)
    if (pathname === '/app/long') res.end(Buffer.concat([png, Buffer.alloc(5000)]))
    else if (pathname === '/app/endless') res.write(Buffer.concat([png, Buffer.alloc(5000)]))
    else if (pathname === '/app/parts') {
      res.write(png.subarray(0, 5))
      setImmediate(() => res.end(png.subarray(5)))
    } else res.end(png)
  })
  await new Promise<void>((resolve) => app.listen(server.port(1), '127.0.0.1', resolve))
  assert.equal(await shape(server, '/app/a'), 'png 50x25')
  assert.equal(await shape(server, '/app/parts'), 'png 50x25')
  assert.equal(await shape(server, '/app/long'), '415')
  assert.equal(await shape(server, '/app/endless'), '415')
  // Those who leave while theirs is worked on, and one more request on the same connection.
  for (let i = 0; i < 20; i++) {
    const client = await Client.connect(server.port())
    client.write('GET /app/a HTTP/1.1\r\nHost: h\r\n\r\n')
    setTimeout(() => client.close(), i)
  }
  assert.equal(await shape(server, '/app/a'), 'png 50x25')
  app.closeAllConnections()
  app.close()
})

test('what is refused', async () => {
  const cases: readonly [string, string][] = [
    ['image_filter what;', 'invalid parameter "what"'],
    ['image_filter rotate 45;', 'invalid parameter "45"'],
    ['image_filter resize 0 1;', 'invalid parameter "0"'],
    ['image_filter resize 1 x;', 'invalid parameter "x"'],
    ['image_filter test 1 2;', 'invalid parameter "test"'],
    ['image_filter_jpeg_quality 0;', 'invalid value "0"'],
    ['image_filter_webp_quality x;', 'invalid value "x"'],
  ]
  for (const [line, message] of cases) {
    await using prefix = await Prefix.create(`events { } http { server { location / { ${line} } } }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, line)
    assert.ok(stderr.includes(message), stderr)
  }
})
