/** Syslog: parameters with nginx's errors, message form, UDP with a server that goes away, and the local system log. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { clock } from '../../src/lib/clock.ts'
import { ERROR, ErrorLog } from '../../src/log/error-log.ts'
import { parseSyslog, SyslogLog, type SyslogSpec } from '../../src/log/syslog.ts'
import { relayProblem, senderFor } from '../../src/log/syslog-senders.ts'

function parsed(text: string): SyslogSpec {
  const spec = parseSyslog(text)
  assert.ok(typeof spec !== 'string', String(spec))
  return spec
}

test('reads parameters, with defaults', () => {
  const server = { host: '10.0.0.1', port: 514 }
  assert.deepEqual(parsed('syslog:server=10.0.0.1'), {
    server,
    facility: 23,
    severity: 6,
    tag: 'nginx',
    hostname: true,
  })
  assert.deepEqual(parsed('syslog:facility=kern,nohostname,severity=emerg,tag=A_1,server=[::1]:99'), {
    server: { host: '::1', port: 99 },
    facility: 0,
    severity: 0,
    tag: 'A_1',
    hostname: false,
  })
})

test('errors are those of nginx', () => {
  for (const [parameters, message] of [
    ['facility=user', 'no syslog server specified'],
    ['server=a,server=b', 'duplicate syslog "server"'],
    ['server=a,facility=user,facility=mail', 'duplicate syslog "facility"'],
    ['server=a,facility=local8', 'unknown syslog facility "local8"'],
    ['server=a,severity=err', 'unknown syslog severity "err"'],
    ['server=a,severity=info,severity=info', 'duplicate syslog "severity"'],
    ['server=a,tag=x,tag=y', 'duplicate syslog "tag"'],
    ['server=a,tag=' + 'x'.repeat(33), 'syslog tag length exceeds 32'],
    ['server=a,tag=a-b', 'syslog "tag" only allows alphanumeric characters and underscore'],
    ['server=a,foo', 'unknown syslog parameter "foo"'],
    ['', 'unknown syslog parameter ""'],
    ['server=', 'no host in syslog server ""'],
    ['server=a:0', 'invalid port in syslog server "a:0"'],
    ['server=a:65536', 'invalid port in syslog server "a:65536"'],
    ['server=unix:', 'no path in the unix domain socket in syslog server "unix:"'],
  ]) {
    assert.equal(parseSyslog('syslog:' + parameters), message)
  }
})

async function udpServer(port = 0): Promise<{ socket: Socket; port: number; next: () => Promise<string> }> {
  const socket = createSocket('udp4')
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  const next = async () => String((await once(socket, 'message'))[0])
  return { socket, port: socket.address().port, next }
}

test('sends lines of both logs in the form of RFC 3164', async () => {
  const { socket, port, next } = await udpServer()
  const errors = new SyslogLog(parsed(`syslog:server=127.0.0.1:${port},facility=user`))
  const log = new ErrorLog([{ level: ERROR, target: errors }])
  const message = next()
  log.write(ERROR, 'no luck')
  const host = hostname().toLowerCase().replaceAll('.', '\\.')
  const form = `^<11>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d ${host} nginx: \\d{4}/[\\d/]+ [\\d:]+ \\[error\\] \\d+#\\d+: no luck$`
  assert.match(await message, new RegExp(form))

  const access = new SyslogLog(parsed(`syslog:server=127.0.0.1:${port},severity=alert,tag=SEE,nohostname`))
  const line = next()
  access.write('/uri:404\n')
  assert.equal(await line, `<185>${clock.syslogTime} SEE: /uri:404`)

  const long = next()
  access.write('x'.repeat(5000) + '\n')
  assert.equal((await long).length, 2048)
  socket.close()
})

test('messages sent before the socket is connected arrive in order', async () => {
  const { socket, port } = await udpServer()
  const log = new SyslogLog(parsed(`syslog:server=127.0.0.1:${port},nohostname`))
  const seen: string[] = []
  const all = new Promise<void>((resolve) => {
    socket.on('message', (message) => {
      seen.push(String(message).slice(-2))
      if (seen.length === 20) resolve()
    })
  })
  for (let i = 10; i < 30; i++) log.write(`${i}\n`)
  await all
  assert.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, i) => String(i + 10)),
  )
  socket.close()
})

test('a server that was away gets messages again when it is back', async () => {
  const first = await udpServer()
  const log = new SyslogLog(parsed(`syslog:server=127.0.0.1:${first.port}`))
  const message = first.next()
  log.write('one\n')
  assert.match(await message, /one$/)
  first.socket.close()
  await once(first.socket, 'close')
  log.write('lost\n')
  const second = await udpServer(first.port)
  // The refusal of the lost message may still take one more with it.
  const again = second.next()
  log.write('maybe\n')
  setImmediate(() => log.write('two\n'))
  assert.match(await again, /maybe$|two$/)
  second.socket.close()
})

/** Node cannot receive UNIX datagrams: this prints those that come to a path. */
const RECEIVER = `use Socket; $| = 1; socket(my $s, PF_UNIX, SOCK_DGRAM, 0); bind($s, sockaddr_un(shift)) or die;
  print "ready\\n"; while (defined recv($s, my $m, 9999, 0)) { print "$m\\n" }`

async function lineOf(child: ChildProcess): Promise<string> {
  return String((await once(child.stdout!, 'data'))[0])
}

test('a failed message is complained about, once', async () => {
  const { socket, port } = await udpServer()
  socket.close()
  await once(socket, 'close')
  const { promise, resolve } = Promise.withResolvers<string>()
  let count = 0
  const errors = new ErrorLog([
    {
      level: ERROR,
      target: {
        writeLine: (_, line) => {
          count++
          resolve(line)
        },
      },
    },
  ])
  const log = new SyslogLog(parsed(`syslog:server=127.0.0.1:${port}`), errors)
  // Referenced, so that the test waits for the socket, which does not keep a process running by itself.
  const waiting = setInterval(() => log.write('lost\n'), 1)
  const complaint = `send\\(\\) failed \\(111: Connection refused\\) while logging to syslog, server: 127.0.0.1:${port}\n$`
  assert.match(await promise, new RegExp(complaint))
  clearInterval(waiting)
  assert.equal(count, 1)
})

test('a UNIX datagram socket is reached through a helper, or refused', async () => {
  if (relayProblem() !== undefined) {
    assert.match(String(parseSyslog('syslog:server=unix:/dev/log')), /need perl or python3/)
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-syslog-'))
  const path = join(folder, 'log')
  const receiver = spawn('perl', ['-e', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    assert.equal(await lineOf(receiver), 'ready\n')
    const log = new SyslogLog(parsed(`syslog:server=unix:${path},nohostname,tag=T`))
    const line = lineOf(receiver)
    log.write('one\ntwo\n')
    assert.equal(await line, `<190>${clock.syslogTime} T: one two\n`)
    const next = lineOf(receiver)
    log.write('three\xff\n')
    assert.match(await next, /T: three/)
  } finally {
    receiver.kill()
    rmSync(folder, { recursive: true })
  }
})

test('a server that was away gets the first message after it is back', async () => {
  const listen = async (port: number): Promise<Socket> => {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve))
    return socket
  }
  const before = await listen(0)
  const { port } = before.address()
  const sender = senderFor({ host: '127.0.0.1', port })
  let failures = 0
  const failed = (): void => void failures++
  sender.send(Buffer.from('before'), failed)
  await once(before, 'message')
  before.close()
  sender.send(Buffer.from('lost'), failed)
  // No event comes between: what the kernel has to say of the lost one is said of the next.
  const after = await listen(port)
  sender.send(Buffer.from('after'), failed)
  const [message] = (await once(after, 'message')) as [Buffer]
  assert.equal(message.latin1Slice(), 'after')
  assert.equal(failures, 1)
  after.close()
})
