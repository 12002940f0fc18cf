/** The temporary file of a response cannot be written: the response goes on as fast as the client takes it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'
import { standstill } from '../harness/wait.ts'

/** More than the kernel's buffers of two connections hold. */
const SIZE = 24_000_000
const content = Buffer.alloc(SIZE)
for (let i = 0; i < SIZE; i += 8) content.writeUInt32LE(i, i)

/** A disk of one megabyte; undefined where mounting is not allowed. */
class SmallDisk implements Disposable {
  readonly dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-disk-'))
  readonly mounted: boolean

  constructor() {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=777', 'none', this.dir], { stdio: 'ignore' })
      this.mounted = true
    } catch {
      this.mounted = false
    }
  }

  [Symbol.dispose](): void {
    if (this.mounted) execFileSync('umount', [this.dir])
    fs.rmdirSync(this.dir)
  }
}

const LENGTH = `HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`
const CHUNK = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${SIZE.toString(16)}\r\n`
const CLOSE = 'HTTP/1.1 200 OK\r\n\r\n'

/** Asks with a client that takes nothing at first; true when the whole response came. */
async function askSlowly(port: number, whenStalled: () => Promise<void>): Promise<boolean> {
  const client = net.connect(port, '127.0.0.1')
  client.pause()
  client.write('GET / HTTP/1.0\r\nHost: x\r\n\r\n')
  await whenStalled()
  const pieces: Buffer[] = []
  for await (const piece of client) pieces.push(piece as Buffer)
  const all = Buffer.concat(pieces)
  const at = all.indexOf(content.subarray(0, 64))
  return at > 0 && all.subarray(at, at + SIZE).equals(content)
}

for (const [what, head, tail] of [
  ['a length', LENGTH, ''],
  ['chunks', CHUNK, '\r\n0\r\n\r\n'],
  ['the end of the connection', CLOSE, ''],
] as const) {
  test(`a disk that is full, with ${what}`, async (t) => {
    using disk = new SmallDisk()
    if (!disk.mounted) return t.skip('file systems cannot be mounted here')
    let socket: net.Socket | undefined
    const backEnd = net.createServer((one) => {
      socket = one
      one.on('error', () => {})
      one.once('data', () => {
        one.write(head)
        one.write(content)
        if (head === CLOSE) one.end()
        else one.write(tail)
      })
    })
    await once(backEnd.listen(0, '127.0.0.1'), 'listening')
    const { port } = backEnd.address() as net.AddressInfo
    await using server = await startViaduct(`http { proxy_temp_path ${disk.dir};
      server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_http_version 1.1; proxy_pass http://127.0.0.1:${port}; } } }`)
    const whole = await askSlowly(server.port(), async () => {
      await server.logged(/pwrite\(\) ".*" failed \(28: No space left on device\)/)
      await standstill(() => socket!.writableLength)
      assert.ok(socket!.writableLength > 0, 'the back end waits')
    })
    assert.ok(whole)
    const lines = server
      .errorLog()
      .split('\n')
      .filter((line) => line.includes('pwrite()'))
    assert.equal(lines.length, 1)
    assert.match(
      lines[0]!,
      new RegExp(`\\[crit\\] .*pwrite\\(\\) "${disk.dir}/\\d+" failed \\(28: .* while reading upstream, `),
    )
    socket?.destroy()
    backEnd.close()
  })
}

test('a folder that is gone', async () => {
  const backEnd = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(LENGTH)
      socket.write(content)
    })
  })
  await once(backEnd.listen(0, '127.0.0.1'), 'listening')
  const { port } = backEnd.address() as net.AddressInfo
  await using server = await startViaduct(`http { proxy_temp_path %%DIR%%/proxy;
    server { listen 127.0.0.1:%%PORT_0%%; location / { proxy_pass http://127.0.0.1:${port}; } } }`)
  fs.rmSync(path.join(server.dir, 'proxy'), { recursive: true, force: true })
  fs.writeFileSync(path.join(server.dir, 'proxy'), '')
  const whole = await askSlowly(server.port(), () =>
    server.logged(/\[crit\] .*open\(\) ".*\/proxy\/\d+" failed \(20: Not a directory\) while reading upstream, /),
  )
  assert.ok(whole)
  backEnd.close()
})
