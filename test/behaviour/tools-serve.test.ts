/** `viaduct serve`: a folder at once, with back ends, and nothing left behind. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { WebSocket, WebSocketServer } from 'ws'
import { freePorts } from '../harness/ports.ts'
import { until } from '../harness/wait.ts'
import { Workshop } from '../tools/console.ts'

const VIADUCT = fileURLToPath(new URL('../../bin/viaduct', import.meta.url))
const FILES = { 'site/index.html': '<title>home</title>', 'site/a/b.txt': 'text', 'site/.env': 'secret', 'tmp/x': '' }

/** A running `viaduct serve`. */
class Serving implements AsyncDisposable {
  readonly shop = new Workshop(FILES)
  readonly port: number
  out = ''
  readonly #child: ChildProcess

  private constructor(port: number, words: readonly string[]) {
    this.port = port
    const env = { ...process.env, TMPDIR: `${this.shop.dir}/tmp` }
    this.#child = spawn(VIADUCT, ['serve', 'site', '--port', String(port), ...words], {
      cwd: this.shop.dir,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.on('data', (text) => (this.out += text))
  }

  static async start(...words: string[]): Promise<Serving> {
    const [port] = await freePorts(1)
    const serving = new Serving(port!, words)
    const scheme = words.includes('--tls') ? https : http
    await until('it serves', async () => {
      const request = scheme.get({ host: '127.0.0.1', port, rejectUnauthorized: false })
      try {
        const [response] = await once(request, 'response')
        response.resume()
        return true
      } catch {
        return false
      }
    })
    return serving
  }

  async get(path: string, init?: RequestInit): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, init)
    return `${response.status} ${(await response.text()).slice(0, 40)}`
  }

  /** Ends it as Ctrl-C does. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode
    this.#child.kill('SIGINT')
    await once(this.#child, 'exit')
    return this.#child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    this.shop[Symbol.dispose]()
  }
}

test('a folder is served, and Ctrl-C leaves nothing behind', async () => {
  await using serving = await Serving.start()
  assert.match(serving.out, new RegExp(`Serving .*/site\\n +at +http://localhost:${serving.port}/\\n`))
  assert.equal(await serving.get('/'), '200 <title>home</title>')
  assert.equal(await serving.get('/a/b.txt'), '200 text')
  assert.match(await serving.get('/none'), /^404 /)
  assert.match(await serving.get('/.env'), /^404 /)
  assert.equal(await serving.stop(), 0)
  assert.deepEqual(fs.readdirSync(`${serving.shop.dir}/tmp`), ['x'])
  assert.deepEqual(fs.readdirSync(serving.shop.dir).sort(), ['site', 'tmp'])
})

test('--json: where it serves, and each request, as objects', async () => {
  await using serving = await Serving.start('--json')
  assert.match(await serving.get('/a/b.txt?x="y"'), /^200 text/)
  const requests = (): readonly Record<string, unknown>[] =>
    serving.out
      .split('\n')
      .slice(1, -1)
      .map((line) => JSON.parse(line))
  await until('it is logged', async () => requests().some(({ uri }) => String(uri).startsWith('/a/b.txt')))
  const first = JSON.parse(serving.out.split('\n')[0]!)
  assert.equal(first.port, serving.port)
  assert.deepEqual(first.urls, [`http://localhost:${serving.port}/`])
  const { status, method, bytes } = requests().find(({ uri }) => String(uri).startsWith('/a/b.txt'))!
  assert.deepEqual({ status, method, bytes }, { status: 200, method: 'GET', bytes: 4 })
})

test('a single-page application with its back end, WebSockets included', async () => {
  const app = http.createServer((request, response) => {
    let size = 0
    request.on('data', (piece) => (size += piece.length))
    request.on('end', () => response.end(`${request.url} ${request.headers.host} ${size}`))
  })
  new WebSocketServer({ server: app }).on('connection', (socket) =>
    socket.on('message', (text) => socket.send(`echo ${text}`)),
  )
  app.listen(0, '127.0.0.1')
  await once(app, 'listening')
  const { port } = app.address() as AddressInfo
  try {
    await using serving = await Serving.start(
      '--spa',
      '--proxy',
      `/api=http://127.0.0.1:${port}`,
      '--upload-limit',
      '1k',
    )
    assert.equal(await serving.get('/any/path'), '200 <title>home</title>')
    assert.equal(
      await serving.get('/api/x?y', { method: 'POST', body: 'abc' }),
      `200 /api/x?y 127.0.0.1:${serving.port} 3`,
    )
    assert.match(await serving.get('/api/x', { method: 'POST', body: 'x'.repeat(2000) }), /^413 /)
    const socket = new WebSocket(`ws://127.0.0.1:${serving.port}/api/ws`)
    await once(socket, 'open')
    socket.send('hello')
    const [message] = await once(socket, 'message')
    assert.equal(String(message), 'echo hello')
    socket.close()
  } finally {
    app.closeAllConnections()
    app.close()
  }
})

test('TLS by a local authority that stays', async () => {
  await using serving = await Serving.start('--tls', '--authority', 'authority')
  const folder = `${serving.shop.dir}/authority`
  assert.equal(fs.statSync(`${folder}/authority-key.pem`).mode & 0o077, 0)
  const ca = fs.readFileSync(`${folder}/authority.pem`)
  for (const host of ['localhost', '127.0.0.1']) {
    const request = https.get({
      host: '127.0.0.1',
      port: serving.port,
      servername: host === '127.0.0.1' ? '' : host,
      headers: { host },
      ca,
    })
    const [response] = await once(request, 'response')
    assert.equal(response.statusCode, 200)
    response.resume()
  }
  assert.ok(serving.out.includes(`curl --cacert ${folder}/authority.pem`))
})

test('what cannot be done is said', async () => {
  using shop = new Workshop(FILES)
  const says = async (...words: string[]): Promise<string> => {
    const { status, error } = await shop.run(['serve', ...words])
    assert.equal(status, 2)
    return error
  }
  assert.match(await says('none'), /"\/.*\/none" cannot be served \(2: No such file or directory\)/)
  assert.match(await says('site/index.html'), /is no folder/)
  assert.match(await says('site', '--proxy', 'api'), /--proxy takes PATH=URL, not "api"\n {2}hint: for example/)
  assert.match(await says('site', '--port', 'x'), /--port takes a number/)
  assert.match(await says('site', '--upload-limit', 'much'), /takes a size such as 50m/)
  const busy = http.createServer().listen(0, '127.0.0.1')
  await once(busy, 'listening')
  const { port } = busy.address() as AddressInfo
  assert.match(await says('site', '--port', String(port)), /port \d+ is taken\n {2}hint:/)
  busy.close()
})

test('--print shows a configuration that lint and the server like', async () => {
  using shop = new Workshop({ ...FILES, 'site/"a b"/index.html': '' })
  for (const words of [['site'], ['site/"a b"', '--spa', '--proxy', '/api/=http://localhost:8000/', '--tls']]) {
    const { status, out } = await shop.run(['serve', '--print', ...words])
    assert.equal(status, 0)
    shop.write('nginx.conf', out)
    assert.deepEqual(
      JSON.parse((await shop.run(['lint', '--json', '--skip', 'missing_file,configuration_error', 'nginx.conf'])).out),
      [],
    )
    assert.equal((await shop.run(['fmt', '--check', 'nginx.conf'])).status, 0)
  }
})
