/** prod.nginx of a guide over TLS with HTTP/2: headers, redirects, limits, files, WebSockets, and the page in Chromium. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { after, before, test } from 'node:test'
import { WebSocket } from 'ws'
import { startBrowser } from './browser.ts'
import { NAME, Production } from './production.ts'

const SECURITY = {
  'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
  'x-frame-options': 'SAMEORIGIN',
  'x-content-type-options': 'nosniff',
  'x-xss-protection': '1; mode=block',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'permissions-policy': 'geolocation=(), microphone=(), camera=()',
  'content-security-policy':
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data: https:; font-src 'self' data:; connect-src 'self' wss://yourdomain.com",
}
/** `burst=20`, and the one within the rate. */
const BURST_MAX = 21
/** `client_max_body_size 10m`. */
const BODY_MAX = 10 * 1024 * 1024

const running = new AsyncDisposableStack()
let production: Production
let session: http2.ClientHttp2Session | undefined
/** Requests on the session; `keepalive_requests` is 100. */
let asked = 0

before(async () => {
  production = running.use(await Production.start())
})
after(() => running.disposeAsync())

function sessionToUse(): http2.ClientHttp2Session {
  if (session === undefined || ++asked > 50) {
    asked = 1
    const made = http2.connect(`https://127.0.0.1:${production.port}`, { servername: NAME, rejectUnauthorized: false })
    running.defer(() => made.destroy())
    session = made
  }
  return session
}

interface Answer {
  readonly status: number
  readonly headers: http2.IncomingHttpHeaders
  readonly body: Buffer
}

async function ask(target: string, headers: http2.OutgoingHttpHeaders = {}, body?: Uint8Array): Promise<Answer> {
  const fields = { ':path': target, ':authority': NAME, ...headers }
  const stream = sessionToUse().request(fields, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  const pieces: Buffer[] = []
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  const ended = once(stream, 'end')
  const [received] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
  await ended
  return { status: Number(received[':status']), headers: received, body: Buffer.concat(pieces) }
}

/** The same for what the rate limit may refuse: it is asked again until it does not. */
async function call(target: string, headers: http2.OutgoingHttpHeaders = {}, body?: Uint8Array): Promise<Answer> {
  for (;;) {
    const answer = await ask(target, headers, body)
    if (answer.status !== 503) return answer
  }
}

test('plain HTTP is redirected', async () => {
  const { headers, status } = await redirected('/some/page?x=1')
  assert.equal(status, 301)
  assert.equal(headers.get('location'), `https://127.0.0.1/some/page?x=1`)
  assert.equal(headers.get('server'), 'viaduct')
})

function redirected(target: string): Promise<Response> {
  return fetch(production.server.url(target), { redirect: 'manual' })
}

test('security headers are as written, on errors too; a location with add_header has its own alone', async () => {
  for (const [target, status] of [
    ['/api/items/1', 200],
    ['/api/nothing', 404],
  ] as const) {
    const answer = await call(target)
    assert.equal(answer.status, status)
    for (const [name, value] of Object.entries(SECURITY)) assert.equal(answer.headers[name], value, name)
  }
  const page = await ask('/')
  assert.equal(page.headers['cache-control'], 'no-cache, must-revalidate')
  assert.equal(page.headers['strict-transport-security'], undefined)
})

test('files with a hash in their name are immutable, compressed once and for all', async () => {
  const css = await ask('/assets/app-1f3c9a.css', { 'accept-encoding': 'gzip' })
  assert.deepEqual(css.headers['cache-control'], 'max-age=31536000, public, immutable')
  assert.match(String(css.headers['expires']), /GMT$/)
  assert.equal(css.headers['content-encoding'], 'gzip')
  assert.equal(css.headers['vary'], 'Accept-Encoding')
  assert.equal(css.headers['content-type'], 'text/css')
  assert.equal((await ask('/assets/icon.svg')).headers['content-type'], 'image/svg+xml')
})

test('what is no file is the page, hidden files are nobody’s', async () => {
  const page = await ask('/')
  assert.equal(page.headers['content-type'], 'text/html')
  for (const target of ['/users/7', '/deep/link?x=1']) assert.deepEqual((await ask(target)).body, page.body, target)
  for (const target of ['/.env', '/assets/.git/config']) assert.equal((await ask(target)).status, 403, target)
  assert.equal((await ask('/assets/missing.js')).status, 404)
  const health = await ask('/health')
  assert.deepEqual([health.status, String(health.body)], [200, 'healthy\n'])
})

test('the API sees who asks, and how', async () => {
  const seen = await call('/api/request')
  const { headers } = JSON.parse(String(seen.body)) as { headers: [string, string][] }
  const names = Object.fromEntries(headers)
  // The location has a proxy_set_header of its own, and so none of http.conf.
  assert.equal(names['host'], 'backend')
  assert.equal(names['connection'], undefined)
})

test('an upload passes up to the limit', async () => {
  const body = new Uint8Array(BODY_MAX).fill(7)
  const passed = await call('/api/upload', { ':method': 'POST' }, body)
  assert.equal((JSON.parse(String(passed.body)) as { size: number }).size, BODY_MAX)
})

test('the rates of the API and of its logins are limits, each its own', async () => {
  const statuses = (await Promise.all(Array.from({ length: 60 }, () => ask('/api/auth/login')))).map(
    ({ status }) => status,
  )
  const passed = statuses.filter((status) => status === 404).length
  // burst=5, and what the rate gives back meanwhile.
  assert.ok(passed >= 6 && passed <= 8, `${passed} passed`)
  assert.equal(statuses.filter((status) => status === 503).length, 60 - passed)
  const api = (await Promise.all(Array.from({ length: 100 }, () => ask('/api/items')))).map(({ status }) => status)
  const many = api.filter((status) => status === 200).length
  assert.ok(many <= BURST_MAX + 20, `${many} passed`)
  assert.equal(api.filter((status) => status === 503).length, 100 - many)
})

test('a WebSocket over TLS', async () => {
  const socket = new WebSocket(`wss://127.0.0.1:${production.port}/ws/echo`, {
    rejectUnauthorized: false,
    headers: { Host: NAME },
  })
  await once(socket, 'open')
  for (const text of ['hello', 'x'.repeat(100_000)]) {
    socket.send(text)
    assert.equal(String((await once(socket, 'message'))[0]), text)
  }
  socket.close()
  await once(socket, 'close')
})

test('the page in a browser: from HTTP to HTTP/2, with the API and a WebSocket', async () => {
  const { server, port } = production
  const rules = `MAP ${NAME}:80 127.0.0.1:${server.port()}, MAP ${NAME}:443 127.0.0.1:${port}`
  const browser = await startBrowser(['--ignore-certificate-errors', `--host-resolver-rules=${rules}`])
  try {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    const response = await page.goto(`http://${NAME}/users/7`)
    assert.equal(page.url(), `https://${NAME}/users/7`)
    assert.equal(response!.status(), 200)
    await page.locator('#route', { hasText: '/users/7' }).waitFor()
    await page.locator('#socket', { hasText: 'over TLS' }).waitFor()
    await page.locator('#api', { hasText: 'arch' }).waitFor()
    const protocols = await page.evaluate<string[]>(`['navigation', 'resource'].flatMap((type) =>
      performance.getEntriesByType(type).map((entry) => entry.nextHopProtocol))`)
    assert.ok(protocols.length >= 4)
    assert.deepEqual([...new Set(protocols)], ['h2'])
    assert.deepEqual(complaints, [])
  } finally {
    await browser.close()
  }
})
