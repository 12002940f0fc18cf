/** Logs over reloads: requests under way log where their configuration says, and a log that is named no more is let go of. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import type net from 'node:net'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { type Server, startViaduct, withDefaults } from '../harness/server.ts'

let marks = 0

function conf(access: string, mode: string, more = ''): string {
  return `master_process ${mode};
    http { log_format f $uri; access_log ${access}; server { listen 127.0.0.1:%%PORT_0%%;
    ${more}
    location / { return 200 ok; } location = /mark { access_log off; return 200 "mark ${marks}"; } } }`
}

/** Descriptors that the processes of a server have of a file, whatever it is called now. */
function holders({ pid, prefix }: Server, name: string): string[] {
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')
  const processes = [String(pid), ...children].filter((id) => id !== '')
  const links = processes.flatMap((id) => fs.readdirSync(`/proc/${id}/fd`).map((fd) => `/proc/${id}/fd/${fd}`))
  return links.filter((link) => {
    try {
      return fs.readlinkSync(link) === prefix.path(name)
    } catch {
      return false // It is the one that the folder was read by.
    }
  })
}

for (const mode of ['on', 'off']) {
  test(`master_process ${mode}: a log that is not named any more`, async () => {
    await using server = await startViaduct(conf('%%DIR%%/one.log f', mode))
    const { prefix } = server
    using client = await server.connect()
    client.write('GET /late HTTP/1.1\r\nHost: x\r\nX-Begun: ')
    await server.until('the head has begun', async () => (await server.raw('GET /first HTTP/1.0\r\n\r\n')) !== '')
    await reload(server, '%%DIR%%/two.log f', mode)
    client.write('1\r\n\r\n')
    await client.until(/ok$/)
    fs.renameSync(prefix.path('one.log'), prefix.path('one.log.1'))
    fs.renameSync(prefix.path('two.log'), prefix.path('two.log.1'))
    server.signal('SIGUSR1')
    await server.until('two.log is opened anew', () => fs.existsSync(prefix.path('two.log')))
    // The file is there before workers write to it.
    await server.until('it is written to', async () => {
      await server.raw('GET /last HTTP/1.0\r\n\r\n')
      return prefix.read('two.log') !== ''
    })
    assert.match(prefix.read('two.log'), /^(?:\/last\n)+$/)
    assert.match(prefix.read('one.log.1'), /^\/first\n/)
    assert.match(prefix.read('two.log.1'), /^\/late\n(?:\/last\n)*$/)
    assert.ok(!fs.existsSync(prefix.path('one.log')))
    assert.doesNotMatch(server.errorLog(), /one\.log" failed/)
    if (mode === 'on') assert.ok(!holders(server, 'one.log.1').some((link) => link.includes(`/${server.pid}/`)))
  })

  test(`master_process ${mode}: a refused configuration leaves no log open`, async () => {
    await using server = await startViaduct(conf('off', mode))
    await server.reloadRefused(conf('%%DIR%%/never.log f; access_log %%DIR%%/none/x.log', mode))
    // The line that the refusal is known by is written before the file is let go of.
    await server.until('it is closed', () => holders(server, 'never.log').length === 0)
  })

  test(`master_process ${mode}: what a buffer holds is written when it is not used any more`, async () => {
    await using server = await startViaduct(conf('%%DIR%%/one.log f buffer=64k', mode))
    await server.raw('GET /1 HTTP/1.0\r\n\r\n')
    await reload(server, '%%DIR%%/one.log f buffer=32k', mode)
    await server.until('the line', () => server.prefix.read('one.log') === '/1\n')
    await server.raw('GET /2 HTTP/1.0\r\n\r\n')
    await reload(server, '%%DIR%%/two.log f', mode)
    await server.until('the next line', () => server.prefix.read('one.log') === '/1\n/2\n')
  })

  test(`master_process ${mode}: a log with variables that requests outlast stays open for nobody`, async () => {
    const held: net.Socket[] = []
    await using peer = await Peer.start(({ line, socket }) => {
      if (line.includes('/late')) held.push(socket)
      return line.includes('/late') ? undefined : reply('ok')
    })
    const behind = `location ~ /(?:late|soon) { proxy_pass http://127.0.0.1:${peer.port}; }`
    const cached = `%%DIR%%/of$arg_n.log f; root %%DIR%%; open_log_file_cache max=9 inactive=1h`
    await using server = await startViaduct(conf(cached, mode, behind), { prepare: (dir) => fs.chmodSync(dir, 0o777) })
    using client = await server.connect()
    client.write('GET /late?n=1 HTTP/1.1\r\nHost: x\r\n\r\n')
    await server.until('it is asked for', () => held.length === 1)
    await server.raw('GET /soon?n=1 HTTP/1.0\r\n\r\n')
    await server.until('the log is kept open', () => holders(server, 'of1.log').length === 1)
    await reload(server, 'off', mode)
    await server.until('it is closed', () => holders(server, 'of1.log').length === 0)
    held[0]!.write(reply('ok'))
    await client.until(/ok$/)
    await server.until('the line', () => server.prefix.read('of1.log') === '/soon\n/late\n')
    assert.deepEqual(holders(server, 'of1.log'), [])
  })
}

/** Resolves when the new configuration serves: without a master nothing is logged then. */
async function reload(server: Server, access: string, mode: string): Promise<void> {
  const mark = ++marks
  server.prefix.write('nginx.conf', withDefaults(conf(access, mode)))
  server.signal('SIGHUP')
  await server.until('it serves', async () => (await server.raw('GET /mark HTTP/1.0\r\n\r\n')).endsWith(`mark ${mark}`))
}
