/** A client that reads slower than the back end writes: memory, the temporary file, order, and buffering off. */
import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { standstill } from '../harness/wait.ts'

/** More than the kernel's buffers of two connections hold. */
const SIZE = 40_000_000
const content = Buffer.alloc(SIZE)
for (let i = 0; i < SIZE; i += 8) content.writeUInt32LE(i, i)

/** A back end that writes `content` as fast as it is taken, and counts what has left. */
class Source implements AsyncDisposable {
  readonly server: net.Server
  socket!: net.Socket
  done = false

  constructor(head: string) {
    this.server = net.createServer((socket) => {
      this.socket = socket
      socket.on('error', () => {})
      socket.once('data', () => {
        socket.write(head)
        socket.write(content, () => {
          this.done = true
        })
      })
    })
  }

  static async start(head = `HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`): Promise<Source> {
    const source = new Source(head)
    await once(source.server.listen(0, '127.0.0.1'), 'listening')
    return source
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket?.destroy()
    this.server.close()
  }
}

const conf = (source: Source, more: string) => `http { access_log off; proxy_temp_path %%DIR%%/proxy;
  server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://127.0.0.1:${source.port}; ${more} } } }`

/** Open files of the server below a folder, with those that have no name any more. */
function openFiles(server: Server, folder: string): string[] {
  return processes(server.pid).flatMap((pid) =>
    fs
      .readdirSync(`/proc/${pid}/fd`)
      .map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
      .filter((file) => file.startsWith(path.join(server.dir, folder))),
  )
}

function processes(root: number): number[] {
  const children = fs
    .readFileSync(`/proc/${root}/task/${root}/children`, 'latin1')
    .split(' ')
    .filter(Boolean)
    .map(Number)
  return [root, ...children.flatMap(processes)]
}

function linkOf(file: string): string {
  try {
    return fs.readlinkSync(file)
  } catch {
    return ''
  }
}

async function askSlowly(server: Server): Promise<net.Socket> {
  const socket = net.connect(server.port(), '127.0.0.1')
  await once(socket, 'connect')
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  return socket
}

/** The rest of a response, without its head, as a hash and a length. */
async function bodyOf(socket: net.Socket): Promise<readonly [number, string]> {
  const pieces: Buffer[] = []
  for await (const piece of socket) pieces.push(piece as Buffer)
  const all = Buffer.concat(pieces)
  const body = all.subarray(all.indexOf('\r\n\r\n') + 4)
  return [body.length, crypto.createHash('md5').update(body).digest('hex')]
}

const WHOLE = [SIZE, crypto.createHash('md5').update(content).digest('hex')] as const

test('the back end is done long before the client: the rest waits in a file', async () => {
  await using source = await Source.start()
  await using server = await startViaduct(conf(source, ''))
  const socket = await askSlowly(server)
  await server.until('the back end has written all', () => source.done)
  await server.logged(/an upstream response is buffered to a temporary file .*\/proxy\/\d/)
  assert.equal(openFiles(server, 'proxy').length, 1)
  assert.deepEqual(await bodyOf(socket), WHOLE)
  await server.until('the file is gone', () => openFiles(server, 'proxy').length === 0)
  assert.deepEqual(filesIn(path.join(server.dir, 'proxy')), [])
})

test('the file has a limit: then the back end waits', async () => {
  await using source = await Source.start()
  await using server = await startViaduct(conf(source, 'proxy_max_temp_file_size 1m;'))
  const socket = await askSlowly(server)
  await server.logged(/temporary file/)
  await standstill(() => source.socket.writableLength)
  assert.ok(!source.done)
  assert.deepEqual(await bodyOf(socket), WHOLE)
})

test('no file: proxy_max_temp_file_size 0', async () => {
  await using source = await Source.start()
  await using server = await startViaduct(conf(source, 'proxy_max_temp_file_size 0;'))
  const socket = await askSlowly(server)
  await server.until('it has begun', () => source.socket !== undefined)
  await standstill(() => source.socket.writableLength)
  assert.ok(!source.done)
  assert.equal(openFiles(server, 'proxy').length, 0)
  assert.deepEqual(await bodyOf(socket), WHOLE)
})

test('buffering off: the back end waits for the client', async () => {
  await using source = await Source.start()
  await using server = await startViaduct(conf(source, 'proxy_buffering off;'))
  const socket = await askSlowly(server)
  await server.until('it has begun', () => source.socket !== undefined)
  await standstill(() => source.socket.writableLength)
  assert.ok(!source.done)
  assert.equal(openFiles(server, 'proxy').length, 0)
  assert.deepEqual(await bodyOf(socket), WHOLE)
})

test('a response until the end of the connection keeps its order through the file', async () => {
  await using source = await Source.start('HTTP/1.0 200 OK\r\n\r\n')
  await using server = await startViaduct(conf(source, ''))
  const socket = net.connect(server.port(), '127.0.0.1')
  socket.pause()
  socket.write('GET / HTTP/1.0\r\nHost: x\r\n\r\n')
  await server.until('the back end has written all', () => source.done)
  source.socket.end()
  assert.deepEqual(await bodyOf(socket), WHOLE)
})

test('a client that leaves takes its file with it', async () => {
  await using source = await Source.start()
  await using server = await startViaduct(conf(source, ''))
  const socket = await askSlowly(server)
  await server.until('the back end has written all', () => source.done)
  socket.destroy()
  await server.until('the file is gone', () => openFiles(server, 'proxy').length === 0)
  assert.deepEqual(filesIn(path.join(server.dir, 'proxy')), [])
})

test('events pass at once, with buffering on and off', async () => {
  for (const more of ['', 'proxy_buffering off;']) {
    await using peer = await Peer.start(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\ndata: 1\n\n')
      return undefined
    })
    await using server = await startViaduct(conf(peer as unknown as Source, more))
    using client = await server.connect()
    client.write('GET / HTTP/1.0\r\n\r\n')
    await client.until(/data: 1\n\n$/)
    peer.sockets[0]!.write('data: 2\n\n')
    await client.until(/data: 2\n\n$/)
  }
})

test('proxy_limit_rate', async () => {
  const body = 'x'.repeat(3000)
  await using peer = await Peer.start(() => reply(body))
  await using server = await startViaduct(conf(peer as unknown as Source, 'proxy_limit_rate 1000;'))
  const start = performance.now()
  const answer = await server.raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  assert.ok(answer.endsWith(body))
  assert.ok(performance.now() - start > 900)
})

function filesIn(folder: string): string[] {
  if (!fs.existsSync(folder)) return []
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
}
