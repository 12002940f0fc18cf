/** What the machine will not give is told, each thing in one line that says what to do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf } from '../../src/process/kernel-sockets.ts'
import { machineLimits, shortcomings } from '../../src/process/machine-limits.ts'

const PLENTY = { nofile: 1_000_000, somaxconn: 65_535, ports: 60_000 }
const USUAL = { connections: 1024, workers: 2, nofile: undefined, backlog: 511 }

test('nothing is said while there is enough', () => {
  assert.deepEqual(shortcomings(USUAL, PLENTY), [])
  assert.deepEqual(shortcomings(USUAL, { nofile: undefined, somaxconn: undefined, ports: undefined }), [])
  assert.deepEqual(shortcomings({ ...USUAL, connections: 65_535 }, { ...PLENTY, ports: 28_232 }), [])
})

test('descriptors are counted for all workers', () => {
  const lines = shortcomings(USUAL, { ...PLENTY, nofile: 1024 })
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /^2048 worker_connections exceed open file resource limit: 1024; /)
  assert.deepEqual(shortcomings({ ...USUAL, nofile: 4096 }, { ...PLENTY, nofile: 1024 }), [])
})

test('the queue and the ports', () => {
  assert.match(shortcomings({ ...USUAL, backlog: 4096 }, { ...PLENTY, somaxconn: 128 })[0]!, /somaxconn: 128; raise it/)
  assert.match(shortcomings(USUAL, { ...PLENTY, ports: 1000 })[0]!, /2048 .* the 1000 local ports/)
})

test('this machine has limits', () => {
  const { nofile, somaxconn, ports } = machineLimits()
  assert.ok(nofile! > 0 && somaxconn! > 0 && ports! > 0)
})

test('addresses in the words of the kernel', () => {
  assert.equal(addressOf('0100007F:0050'), '127.0.0.1:80')
  assert.equal(addressOf('00000000:1F90'), '0.0.0.0:8080')
  assert.equal(addressOf('00000000000000000000000001000000:01BB'), '[::1]:443')
  assert.equal(addressOf('00000000000000000000000000000000:0050'), '[::]:80')
  assert.equal(addressOf('B80D0120000000000000000001000000:0050'), '[2001:db8::1]:80')
})
