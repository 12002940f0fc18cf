/** Releases without loss: a pod that is told to go, instances that are replaced one by one, a configuration that changes. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket, WebSocketServer } from 'ws'
import { Prefix, startViaduct } from '../harness/server.ts'
import { until } from '../harness/wait.ts'
import { ROOT } from './machine.ts'

const CLIENTS = 8
const GRACE_MS = 60_000
const SHUTDOWN_S = 3

/** Clients that ask again and again over kept connections, and note every answer. */
class Load implements AsyncDisposable {
  readonly answers = new Map<string, number>()
  readonly failures: string[] = []
  readonly #clients: Promise<void>[]
  #enough = false

  constructor(port: number, clients = CLIENTS) {
    this.#clients = Array.from({ length: clients }, (_, i) => this.#ask(port, i))
  }

  get count(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0)
  }

  async #ask(port: number, client: number): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    for (let i = 0; !this.#enough; i++) {
      const method = (client + i) % 4 === 0 ? 'POST' : 'GET'
      await new Promise<void>((resolve) => {
        const request = http.request({ port, host: '127.0.0.1', agent, method, path: `/${i}` }, (response) => {
          let text = ''
          response.setEncoding('latin1').on('data', (part: string) => {
            text += part
          })
          response.on('error', (error) => this.#failed(`${method} ${error.message}`, resolve))
          response.on('end', () => {
            const answer = `${response.statusCode} ${text}`
            this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1)
            resolve()
          })
        })
        request.on('error', (error) => this.#failed(`${method} ${error.message}`, resolve))
        request.end(method === 'POST' ? 'body' : undefined)
      })
      await delay(2)
    }
    agent.destroy()
  }

  #failed(why: string, resolve: () => void): void {
    this.failures.push(why)
    resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#enough = true
    await Promise.all(this.#clients)
  }
}

/** A back end that takes its time, and speaks WebSocket. */
async function backEnd(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = http.createServer((request, response) => {
    request.resume()
    setTimeout(() => response.end('done'), request.url === '/slow' ? 1000 : 5)
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => socket.on('message', (text) => socket.send(String(text))))
  // Others close what is idle for five seconds, while a request may be on its way.
  server.keepAliveTimeout = 60_000
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const podConf = (port: number) => `worker_processes 2; worker_shutdown_timeout ${SHUTDOWN_S}s; pid nginx.pid;
  error_log error.log notice; events {}
  http { map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://127.0.0.1:${port}; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; } } }`

/** The container's process: the script that watches, with the server below it. */
function pod(prefix: Prefix, file: string): ChildProcess {
  const words = [
    path.join(ROOT, 'bin/viaduct'),
    '-p',
    `${prefix.dir}/`,
    '-c',
    file,
    '-e',
    'error.log',
    '-g',
    'daemon off;',
  ]
  return spawn(path.join(ROOT, 'deploy/image/watch-configuration.sh'), [file, ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, VIADUCT_WATCH_SECONDS: '0.2' },
  })
}

for (const signal of ['SIGTERM', 'SIGQUIT'] as const) {
  test(`${signal}: what is under way is finished, and the end comes in time`, async () => {
    await using back = await backEnd()
    await using prefix = await Prefix.create(podConf(back.port))
    const child = pod(prefix, prefix.path('nginx.conf'))
    const port = prefix.port()
    try {
      await until('it serves', () => prefix.read('nginx.pid').endsWith('\n'))
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
      await once(socket, 'open')
      const slow = fetch(`http://127.0.0.1:${port}/slow`)
      await delay(200)
      const began = performance.now()
      child.kill(signal)
      // Tunnels go on until worker_shutdown_timeout.
      await delay(300)
      socket.send('still there')
      const [echo] = (await once(socket, 'message')) as [Buffer]
      assert.equal(String(echo), 'still there')
      const response = await slow
      assert.equal(`${response.status} ${await response.text()}`, '200 done')
      await assert.rejects(fetch(`http://127.0.0.1:${port}/`), 'nobody new is let in')
      const [code] = (await once(child, 'exit')) as [number]
      assert.equal(code, 0)
      const took = performance.now() - began
      assert.ok(took > 1000 && took < GRACE_MS, `${took} ms`)
      assert.notEqual(socket.readyState, WebSocket.OPEN)
    } finally {
      child.kill('SIGKILL')
    }
  })
}

test('two instances behind a third are replaced one by one: no request fails', async () => {
  await using back = await backEnd()
  // What is told to stop closes no kept connection before whoever keeps it has given it up.
  const instance = (name: string, at: number) => `http { keepalive_min_timeout 2s; server { listen 127.0.0.1:${at};
    location / { add_header X-Instance ${name}; proxy_pass http://127.0.0.1:${back.port}; } } }`
  await using ports = await Prefix.create('%%PORT_0%% %%PORT_1%%')
  const addresses = [ports.port(0), ports.port(1)]
  const instances = await Promise.all(addresses.map((at, i) => startViaduct(instance(`${i}`, at))))
  // One that is being replaced is tried again at once: its neighbour may be next.
  await using front =
    await startViaduct(`http { upstream app { zone app 64k; server 127.0.0.1:${addresses[0]} max_fails=0;
    server 127.0.0.1:${addresses[1]} max_fails=0; keepalive 16; keepalive_timeout 1s; }
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://app; proxy_http_version 1.1;
      proxy_set_header Connection ""; } } }`)
  try {
    const load = new Load(front.port())
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 2; i++) {
        const before = load.count
        await until('requests', () => load.count > before + 100)
        await instances[i]!.stop()
        instances[i] = await startViaduct(instance(`${i}`, addresses[i]!))
      }
    }
    await load[Symbol.asyncDispose]()
    assert.deepEqual(load.failures, [])
    assert.deepEqual([...load.answers.keys()], ['200 done'], `of ${load.count}: ${front.errorLog().slice(-2000)}`)
  } finally {
    for (const server of instances) await server[Symbol.asyncDispose]()
  }
})

test('a ConfigMap that changes: no request fails', async () => {
  await using prefix = await Prefix.create('%%PORT_0%%')
  const port = prefix.port()
  const conf = (
    version: number,
  ) => `worker_processes 2; pid ${prefix.dir}/nginx.pid; error_log ${prefix.dir}/error.log notice;
    events {} http { server { listen 127.0.0.1:${port}; return 200 "version ${version}"; } }`
  /** As the kubelet does it: a new folder, and the link to it replaced. */
  const publish = (version: number) => {
    prefix.write(`map/..${version}/nginx.conf`, conf(version))
    fs.symlinkSync(`..${version}`, prefix.path('map/..data_tmp'))
    fs.renameSync(prefix.path('map/..data_tmp'), prefix.path('map/..data'))
  }
  publish(0)
  fs.symlinkSync('..data/nginx.conf', prefix.path('map/nginx.conf'))
  const child = pod(prefix, prefix.path('map/nginx.conf'))
  try {
    await until('it serves', () => prefix.read('nginx.pid').endsWith('\n'))
    const load = new Load(port)
    for (let version = 1; version <= 3; version++) {
      publish(version)
      await until(`version ${version}`, () => load.answers.has(`200 version ${version}`))
    }
    // One that is wrong changes nothing.
    prefix.write('map/..9/nginx.conf', 'nonsense;')
    fs.symlinkSync('..9', prefix.path('map/..data_tmp'))
    fs.renameSync(prefix.path('map/..data_tmp'), prefix.path('map/..data'))
    await until('it is told', () => prefix.read('error.log').includes('unknown directive "nonsense"'))
    const before = load.answers.get('200 version 3')!
    await until('it serves on', () => load.answers.get('200 version 3')! > before + 20)
    await load[Symbol.asyncDispose]()
    assert.deepEqual(load.failures, [])
    assert.equal(load.answers.size, 4)
    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as [number]
    assert.equal(code, 0)
  } finally {
    child.kill('SIGKILL')
  }
})
