/** prod.nginx of a guide, asked by the clients that people have at hand: curl, nghttp, h2load, openssl. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { NAME, Production } from './production.ts'

const run = promisify(execFile)
const running = new AsyncDisposableStack()
let production: Production
let origin = ''

before(async () => {
  production = running.use(await Production.start())
  origin = `https://127.0.0.1:${production.port}`
})
after(() => running.disposeAsync())

/** curl, which trusts the authority and asks for the name. */
async function curl(...words: readonly string[]): Promise<string> {
  const to = ['--cacert', production.authority, '--connect-to', `${NAME}:443:127.0.0.1:${production.port}`]
  return (await run('curl', ['-sS', ...to, ...words])).stdout
}

test('curl speaks HTTP/2 and HTTP/1.1 on one port, with a certificate that it trusts', async () => {
  const told = ['-o', '/dev/null', '-w', '%{http_version} %{http_code} %{ssl_verify_result}']
  assert.equal(await curl('--http2', ...told, `https://${NAME}/`), '2 200 0')
  assert.equal(await curl('--http1.1', ...told, `https://${NAME}/`), '1.1 200 0')
  assert.match(await curl('--http2', '-i', `https://${NAME}/health`), /^HTTP\/2 200 \r\n[\s\S]*\r\n\r\nhealthy\n$/)
})

test('curl uploads over HTTP/2, and is told when it is too much', () => {
  const upload = (size: number, ...words: readonly string[]): string => {
    const all = ['-sS', '-k', '--http2', '--data-binary', '@-', ...words, `${origin}/api/upload`]
    return spawnSync('curl', all, { input: 'y'.repeat(size), encoding: 'utf8' }).stdout
  }
  assert.equal((JSON.parse(upload(3_000_000)) as { size: number }).size, 3_000_000)
  assert.equal(upload(10 * 1024 * 1024 + 1, '-o', '/dev/null', '-w', '%{http_code}'), '413')
})

test('nghttp asks for several things at once', async () => {
  const { stdout } = await run('nghttp', ['-nv', ...['/', '/health', '/assets/app-5b07c4.js'].map((to) => origin + to)])
  assert.match(stdout, /The negotiated protocol: h2/)
  assert.equal(stdout.match(/:status: 200/g)?.length, 3)
  assert.doesNotMatch(stdout, /(PROTOCOL|INTERNAL|COMPRESSION|FLOW_CONTROL|FRAME_SIZE)_ERROR/)
})

test('h2load gets an answer to every request, over connections that end at keepalive_requests', async (t) => {
  const { stdout } = await run('h2load', ['-n', '5000', '-c', '20', '-m', '10', `${origin}/health`])
  t.diagnostic(/finished in.*/.exec(stdout)?.[0] ?? '')
  // keepalive_requests is 100, and h2load does not connect again: what it was told to give up it counts as failed.
  assert.match(stdout, /status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx/)
  const few = (await run('h2load', ['-n', '1000', '-c', '20', '-m', '10', `${origin}/`])).stdout
  assert.match(few, /1000 succeeded, 0 failed, 0 errored, 0 timeout/)
  assert.match(few, /status codes: 1000 2xx/)
})

test('only the protocols and ciphers of the configuration', () => {
  const connect = (...words: readonly string[]): string => {
    const to = ['s_client', '-connect', `127.0.0.1:${production.port}`, '-servername', NAME]
    const { stdout, stderr } = spawnSync('openssl', [...to, ...words], { input: '', encoding: 'utf8' })
    return stdout + stderr
  }
  assert.match(connect('-tls1_3', '-CAfile', production.authority), /Verify return code: 0 \(ok\)/)
  assert.match(connect('-tls1_2'), /Cipher is ECDHE-ECDSA-AES\d+-GCM-SHA\d+/)
  assert.match(connect('-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA'), /alert handshake failure|no cipher match/)
  assert.match(connect('-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'), /alert protocol version|no protocols available/)
  assert.match(connect('-alpn', 'h2,http/1.1'), /ALPN protocol: h2/)
})

test('sessions are resumed from the shared cache, whichever worker made them', () => {
  const to = ['s_client', '-connect', `127.0.0.1:${production.port}`, '-servername', NAME, '-tls1_2', '-reconnect']
  const { stdout } = spawnSync('openssl', to, { input: '', encoding: 'utf8' })
  assert.equal(stdout.match(/^Reused, TLSv1\.2/gm)?.length, 5)
})
