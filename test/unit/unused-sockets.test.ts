/** A worker closes a socket that it was given and does not need, without a word from Node. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { type BindAddress, bindSocket } from '../../src/net/listener.ts'

const MODULE = new URL('../../src/net/listen-on.ts', import.meta.url).href
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-'))
const TCP: BindAddress = { kind: 'tcp', host: '127.0.0.1', port: 0, path: '', ipv6only: false }

async function closeInThread(fd: number): Promise<void> {
  const code = `process.on('warning', (warning) => { throw warning })
    import(${JSON.stringify(MODULE)}).then(({ closeUnused }) => closeUnused(${fd}))`
  const thread = new Worker(code, { eval: true })
  await new Promise((resolve, reject) => thread.on('exit', resolve).on('error', reject))
}

/** The number may be somebody else's by now. */
function inodeOf(fd: number): number {
  try {
    return fs.fstatSync(fd).ino
  } catch {
    return -1
  }
}

for (const address of [TCP, { ...TCP, kind: 'unix', path: path.join(folder, 'socket') } as const]) {
  test(address.kind, async () => {
    const bound = bindSocket(address, false)
    assert.ok(typeof bound !== 'number')
    const inode = inodeOf(bound.fd)
    await closeInThread(bound.fd)
    assert.notEqual(inodeOf(bound.fd), inode)
  })
}

test.after(() => fs.rmSync(folder, { recursive: true }))
