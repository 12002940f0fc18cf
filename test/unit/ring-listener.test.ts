/** Accepting on a ring, and what becomes of those who come when it ends. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { releaseRing, startRing, threadRing } from '../../src/net/engine.ts'
import { listenOn } from '../../src/net/listen-on.ts'
import type { Incoming } from '../../src/net/listener.ts'
import { calls, whyNoCalls } from '../../src/sys/calls.ts'
import { foreigner } from '../../src/sys/foreign.ts'
import { internetAddress, portIn } from '../../src/sys/socket-address.ts'
import { NORMAL_RING, RingAcceptor, turnUntil } from '../harness/ring-acceptor.ts'

const NO_RING = whyNoCalls() || startRing(undefined, false)
const STREAM = 0x80801

after(releaseRing)

/** Another one who accepts on the same socket. */
class Successor extends RingAcceptor {
  count = 0
  take(fd: number): void {
    this.count++
    this.calls.close(fd)
  }
  stop(): Promise<void> {
    return this.end(() => true)
  }
}

test('whoever comes when accepting ends is let in, or left to another one', { skip: NO_RING || false }, async () => {
  const system = calls()
  const foreign = foreigner()
  assert.ok(typeof system !== 'string' && typeof foreign !== 'string')
  const duplicate = foreign.func('dup', 'int32_t', ['int32_t'])
  const ring = threadRing()!
  const { cancel } = ring
  // With SO_REUSEPORT the socket is taken for the thread's own, and the kernel tells one only.
  for (const [moment, shared, letsIn] of [
    ['before', false, true],
    ['before', true, true],
    ['before', true, false],
    ['after', false, true],
    ['after', true, true],
  ] as const) {
    const fd = system.socket(2, STREAM)
    if (!shared) assert.equal(system.turnOn(fd, 1, 15), 0)
    assert.equal(system.bind(fd, internetAddress('127.0.0.1', 0)!), 0)
    assert.equal(system.listen(fd, 511), 0)
    system.socketName(fd)
    const address = internetAddress('127.0.0.1', portIn(system.name))!
    const client = system.socket(2, STREAM)
    let accepted = 0
    const owner = {
      onAccept(incoming: Incoming): void {
        accepted++
        incoming.refuse()
      },
      onAcceptError: (errno: number) => assert.fail(`accept: ${errno}`),
      onOptionFailed: () => assert.fail('an option'),
    }
    // The kernel tells of a connection who asked first.
    const first = listenOn({ fd, isInternet: true, settings: { backlog: 511, socketOptions: [] } }, owner)
    ring.submit()
    const second = new Successor(system, NORMAL_RING, duplicate(fd) as number)
    second.ring.submit()
    // Connecting does not wait, and the connection is there at once nevertheless.
    ring.cancel = (...what) => {
      if (moment === 'before') system.connect(client, address)
      cancel.apply(ring, what)
    }
    first.close(letsIn)
    ring.cancel = cancel
    if (moment === 'after') system.connect(client, address)
    await turnUntil(() => accepted + second.count === 1)
    assert.equal(accepted, moment === 'before' && letsIn ? 1 : 0)
    system.close(client)
    await second.stop()
  }
})
