/** The example of a canary release does what its comments say. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

const TEXT = fs.readFileSync(fileURLToPath(new URL('../../examples/canary/nginx.conf', import.meta.url)), 'utf8')

const conf = (stable: number, canary: number, share: string) =>
  TEXT.replace('127.0.0.1:8080', '127.0.0.1:%%PORT_0%%')
    .replace('127.0.0.1:8001', `127.0.0.1:${stable}`)
    .replace('127.0.0.1:8002', `127.0.0.1:${canary}`)
    .replace('10%', share)
    .replace('events {}', '')

test('a share of the clients, and those who ask for it', async (t) => {
  await using stable = await Peer.start(() => reply('stable'))
  await using canary = await Peer.start(() => reply('canary'))
  await using server = await startViaduct(conf(stable.port, canary.port, '10%'))
  const ask = async (fields = '', agent = 'x') =>
    (await server.raw(`GET / HTTP/1.0\r\nUser-Agent: ${agent}\r\n${fields}\r\n`)).split('\r\n\r\n')[1]
  await t.test('a tenth, and the same clients each time', async () => {
    const answers: string[] = []
    for (let i = 0; i < 200; i++) answers.push((await ask('', `agent ${i}`)) ?? '')
    const drawn = answers.filter((answer) => answer === 'canary').length
    assert.ok(drawn >= 8 && drawn <= 36, `${drawn} of 200`)
    const first = answers.indexOf('canary')
    assert.equal(await ask('', `agent ${first}`), 'canary')
  })
  await t.test('by header, by cookie', async () => {
    assert.equal(await ask('X-Canary: always\r\n'), 'canary')
    assert.equal(await ask('X-Canary: never\r\nCookie: canary=always\r\n'), 'stable')
    assert.equal(await ask('Cookie: canary=always\r\n'), 'canary')
  })
  await t.test('all, and none', async () => {
    await server.reload(conf(stable.port, canary.port, '100%').replace(/\n\s+\*\s+stable;/, ''))
    for (let i = 0; i < 10; i++) assert.equal(await ask('', `agent ${i}`), 'canary')
    await server.reload(conf(stable.port, canary.port, '0%').replace(/\n\s+0%\s+canary;/, ''))
    for (let i = 0; i < 10; i++) assert.equal(await ask('', `agent ${i}`), 'stable')
  })
  await t.test('a drained side keeps its sessions', async () => {
    const text = await server.raw('GET / HTTP/1.0\r\nX-Canary: always\r\n\r\n')
    const cookie = /Set-Cookie: (version=[^;]+)/.exec(text)?.[1]
    assert.ok(cookie !== undefined)
    await server.reload(conf(stable.port, canary.port, '10%').replace(`${canary.port};`, `${canary.port} drain;`))
    assert.equal(await ask(`X-Canary: always\r\nCookie: ${cookie}\r\n`), 'canary')
    assert.equal(await ask('X-Canary: always\r\n'), 'stable')
  })
})

test('a canary that is dead costs nobody an answer', async () => {
  await using stable = await Peer.start(() => reply('stable'))
  await using canary = await Peer.start()
  const { port } = canary
  await canary[Symbol.asyncDispose]()
  await using server = await startViaduct(conf(stable.port, port, '10%'))
  const text = await server.raw('GET / HTTP/1.0\r\nX-Canary: always\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nstable$/)
})
