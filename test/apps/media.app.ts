/**
 * What clients make of compressed, cut and changed responses: curl decodes Brotli and Zstandard and keeps files by WebDAV;
 * Chromium shows pages that are compressed, pictures that were scaled and videos from a moment on.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { startBrowser } from './browser.ts'

const CONF = `
http {
  types { text/html html; image/png png; video/mp4 mp4; application/javascript js; }
  brotli on;
  zstd on;
  gzip on;
  brotli_types application/javascript;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    listen 127.0.0.1:%%PORT_1%% ssl;
    http2 on;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    root %%DIR%%/files;
    location ~ \\.mp4$ { mp4; mp4_start_key_frame on; }

    location /small/ { alias %%DIR%%/files/; image_filter resize 40 40; }
    location /dav/ { dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; }
  }
}`
const PAGE = `<!doctype html><title>page</title><script src="/a.js"></script><img id="i" src="/small/a.png">
<video id="v" src="/a.mp4?start=3" muted preload="auto"></video>${'<p>text of the page</p>\n'.repeat(500)}`

const running = new AsyncDisposableStack()
let server: Server
const hasVideo = spawnSync('ffmpeg', ['-version']).status === 0

before(async () => {
  const certificates = new Certificates()
  running.defer(() => fs.rmSync(certificates.dir, { recursive: true }))
  const { cert, key } = certificates.make('localhost')
  const sharp = createRequire(import.meta.url)('sharp') as (made: object) => {
    png(): { toBuffer(): Promise<Buffer> }
  }
  const picture = sharp({ create: { width: 200, height: 100, channels: 3, background: 'red' } })
  const files = {
    'cert.pem': cert,
    'key.pem': key,
    'files/page.html': PAGE,
    'files/a.js': `window.loaded = true // ${'x'.repeat(1000)}`,
    'files/a.png': await picture.png().toBuffer(),
  }
  server = running.use(
    await startViaduct(CONF, {
      files,
      prepare: (dir) => {
        fs.chmodSync(`${dir}/files`, 0o777)
        const source = 'testsrc=duration=10:size=320x200:rate=15'
        const options = ['-nostdin', '-loglevel', 'quiet', '-y', '-f', 'lavfi', '-i', source, '-pix_fmt', 'yuv420p']
        if (hasVideo) execFileSync('ffmpeg', [...options, '-g', '15', '-c:v', 'h264', `${dir}/files/a.mp4`])
      },
    }),
  )
})
after(() => running.disposeAsync())

/** What curl has on its output. */
function curl(...words: readonly string[]): string {
  return execFileSync('curl', ['-sS', '-k', ...words], { encoding: 'utf8' })
}

test('curl decodes each coding, over HTTP/1.1 and HTTP/2', () => {
  for (const [origin, version] of [
    [server.url('/'), '--http1.1'],
    [`https://127.0.0.1:${server.port(1)}/`, '--http2'],
  ] as const) {
    for (const coding of ['br', 'zstd', 'gzip']) {
      const body = curl(version, '--compressed', '-H', `Accept-Encoding: ${coding}`, `${origin}page.html`)
      assert.equal(body, PAGE)
      const head = curl(version, '-I', '-H', `Accept-Encoding: ${coding}`, `${origin}page.html`)
      assert.match(head, new RegExp(`content-encoding: ${coding}`, 'i'))
    }
    assert.equal(curl(version, '--compressed', `${origin}page.html`), PAGE)
  }
})

test('curl keeps files by WebDAV', () => {
  const at = `${server.url('/dav/')}`
  const status = (...words: readonly string[]) => curl('-o', '/dev/null', '-w', '%{http_code}', ...words)
  const local = server.prefix.path('files/page.html')
  assert.equal(status('-T', local, `${at}folder/a.html`), '201')
  assert.equal(status('-T', local, `${at}folder/a.html`), '204')
  assert.equal(status('-X', 'MKCOL', `${at}empty/`), '201')
  assert.equal(status('-X', 'COPY', '-H', `Destination: ${at}b.html`, `${at}folder/a.html`), '204')
  assert.equal(status('-X', 'MOVE', '-H', `Destination: ${at}moved/`, `${at}folder/`), '201')
  assert.equal(curl(`${at}moved/a.html`), PAGE)
  assert.equal(status('-X', 'DELETE', `${at}moved/`), '204')
  assert.equal(status(`${at}moved/a.html`), '404')
})

test('Chromium shows a page with a picture and a video from a moment on', async (t) => {
  const browser = await startBrowser(['--ignore-certificate-errors'])
  t.after(() => browser.close())
  const page = await browser.newPage()
  const codings = new Map<string, string | undefined>()
  page.on('response', (response) => {
    codings.set(new URL(response.url()).pathname, response.headers()['content-encoding'])
  })
  await page.goto(`https://127.0.0.1:${server.port(1)}/page.html`)
  assert.equal(codings.get('/page.html'), 'br')
  assert.equal(codings.get('/a.js'), 'br')
  assert.equal(await page.evaluate('window.loaded'), true)
  const width = 'document.getElementById("i").naturalWidth'
  await page.waitForFunction(`${width} > 0`)
  assert.equal(await page.evaluate(width), 40)
  if (!hasVideo) return
  const video = 'document.getElementById("v")'
  await page.waitForFunction(`${video}.readyState >= 2 || ${video}.error !== null`)
  assert.equal(await page.evaluate(`${video}.error`), null)
  const duration = (await page.evaluate(`${video}.duration`)) as number
  assert.ok(Math.abs(duration - 7) < 0.2, String(duration))
  // Into a part that was not loaded yet, by a range of the cut file.
  await page.evaluate(`${video}.currentTime = 6`)
  await page.waitForFunction(`!${video}.seeking`)
})
