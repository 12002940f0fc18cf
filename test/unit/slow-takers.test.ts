/** A peer that takes output slowly has its time from what it has last taken, also where one long write is under way. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { clock } from '../../src/lib/clock.ts'
import { NoWire } from '../../src/net/no-wire.ts'
import { openWire } from '../../src/net/open-wire.ts'
import type { StreamWire } from '../../src/net/stream-wire.ts'
import { cancelTimer, setTimer, Timer } from '../../src/net/timer-wheel.ts'
import { WireTunnel } from '../../src/upstream/tunnel.ts'

const MINUTE = 60_000
const WRITE_SIZE = 32_000_000
const TAKEN_SIZE = 8_000_000

test('on a handle', async (t) => {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const timer = new Timer({ onTimeout() {} })
  const wire = await new Promise<StreamWire>((resolve) => {
    const { port } = server.address() as net.AddressInfo
    const to = { host: '127.0.0.1', port, path: '' }
    const opened = openWire(to, {}, { onConnected: () => resolve(opened) })
  })
  const takes = (): boolean => {
    clock.update()
    // Within so short a time there is what is noted now, and nothing else.
    const answer = wire.stillTakes(timer, 1)
    assert.equal(timer.active, answer)
    cancelTimer(timer)
    return answer
  }
  wire.writeBytes(Buffer.alloc(WRITE_SIZE), true)
  wire.flush()
  const [socket] = await accepted
  t.after(() => {
    wire.destroy()
    socket.destroy()
    server.close()
  })
  // What the kernel keeps is all that is taken.
  while (takes()) await delay(2)
  let taken = 0
  while (taken < TAKEN_SIZE) {
    await setImmediate()
    taken += (socket.read() as Buffer | null)?.length ?? 0
  }
  assert.ok(wire.pendingBytes > 0, 'the write is under way')
  assert.equal(takes(), true)
})

/** Takes something a few times, and then no more. */
class SlowWire extends NoWire {
  wantsNoMore = false
  paused = false
  times = 0
  override get full(): boolean {
    return this.wantsNoMore
  }
  override writeBytes(): void {}
  override pause(): void {
    this.paused = true
  }
  override resume(): void {
    this.paused = false
  }
  override stillTakes(timer: Timer, timeoutMs: number): boolean {
    if (this.times-- <= 0) return false
    setTimer(timer, timeoutMs)
    return true
  }
}

/** Begins a tunnel with one byte for each side, and waits for a time-out. */
async function lasting(client: SlowWire, peer: SlowWire, readTimeoutMs: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const owner = { onTunnelEnd() {}, onTunnelBytes() {}, onTunnelTimeout: resolve }
  const options = { readTimeoutMs, sendTimeoutMs: 20, clientSendTimeoutMs: 20, halfClose: false }
  const tunnel = new WireTunnel(client, peer, owner, options)
  tunnel.onBytes(Buffer.alloc(1), 1)
  tunnel.onClientBytes(Buffer.alloc(1), 0, 1)
  const who = await promise
  assert.ok(client.times < 0 || peer.times < 0, 'somebody was asked until it took no more')
  return who
}

test('in a tunnel', async (t) => {
  const slow = (wantsNoMore: boolean): SlowWire => Object.assign(new SlowWire(), { wantsNoMore, times: 3 })
  await t.test('the client, for whose sake the back end is not read', async () => {
    const [client, peer] = [slow(true), slow(false)]
    assert.equal(await lasting(client, peer, 1), 'client')
    assert.equal(peer.paused, true)
  })
  await t.test('the back end', async () => {
    const [client, peer] = [slow(false), slow(true)]
    assert.equal(await lasting(client, peer, MINUTE), 'upstream')
    assert.equal(client.paused, true)
  })
  await t.test('both take the little that they are sent', async () => {
    const [client, peer] = [slow(false), slow(false)]
    assert.equal(await lasting(client, peer, 20), 'upstream')
    assert.ok(client.times < 0 && peer.times < 0)
  })
})
