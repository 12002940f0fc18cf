/** Accepting by Node's handles, and what becomes of those who wait when it ends. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listenOn } from '../../src/net/listen-on.ts'
import type { Incoming } from '../../src/net/listener.ts'
import { calls, whyNoCalls } from '../../src/sys/calls.ts'
import { internetAddress, portIn } from '../../src/sys/socket-address.ts'

const STREAM = 0x80801
const CLIENTS = 20

for (const letsIn of [true, false]) {
  test(`those who wait are ${letsIn ? '' : 'not '}let in`, { skip: whyNoCalls() || false }, () => {
    const system = calls()
    assert.ok(typeof system !== 'string')
    const fd = system.socket(2, STREAM)
    assert.equal(system.bind(fd, internetAddress('127.0.0.1', 0)!), 0)
    assert.equal(system.listen(fd, 511), 0)
    system.socketName(fd)
    const address = internetAddress('127.0.0.1', portIn(system.name))!
    let accepted = 0
    const owner = {
      onAccept(incoming: Incoming): void {
        accepted++
        assert.ok(incoming.fd > 0)
        incoming.refuse()
      },
      onAcceptError: (errno: number) => assert.fail(`accept: ${errno}`),
      onOptionFailed: () => assert.fail('an option'),
    }
    const listener = listenOn({ fd, isInternet: true, settings: { backlog: 511, socketOptions: [] } }, owner)
    const clients = Array.from({ length: CLIENTS }, () => system.socket(2, STREAM))
    // Connecting does not wait, and the connection is there at once nevertheless.
    for (const client of clients) system.connect(client, address)
    listener.close(letsIn)
    assert.equal(accepted, letsIn ? CLIENTS : 0)
    for (const client of clients) system.close(client)
  })
}
