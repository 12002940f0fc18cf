/** Addresses of sockets in the kernel's form. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostIn, internetAddress, portIn } from '../../src/sys/socket-address.ts'

test('an address is what it was, whatever was asked for before', () => {
  // Those of a row have the same bytes in another order, so they have the same place among known ones.
  const hosts = ['0.0.0.0', '1.2.3.4', '4.3.2.1', '1.2.3.4', '2.1.4.3', '0.0.0.0', '255.255.255.255', '0.0.0.0', '::1']
  for (const host of hosts) {
    const bytes = internetAddress(host, 8080)!
    assert.equal(hostIn(bytes), host)
    assert.equal(portIn(bytes), 8080)
  }
})
