/** Workers compile a server when its first request comes: it must behave as if it had been compiled at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct, withDefaults } from '../harness/server.ts'

const get = (host: string, target = '/'): string => `GET ${target} HTTP/1.0\r\nHost: ${host}\r\n\r\n`
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4)

const FIRST = 'server { listen 127.0.0.1:%%PORT_0%% default_server; server_name first; return 200 first|; }'

test('variables that waiting servers make are known everywhere, and warn as ever', async () => {
  await using server = await startViaduct(`http {
    log_format one "$host $late $arg_own $mapped"; access_log access.log one;
    map $late $mapped { default none; "x" ex; }
    server { listen 127.0.0.1:%%PORT_0%%; server_name first; return 200 "first $late $cut|"; }
    server { listen 127.0.0.1:%%PORT_0%%; server_name second; set $late x; set $arg_own hidden;
      location ~ ^/(?<cut>[a-z]+)$ { return 200 "$cut $late $mapped|"; } }
    server { listen 127.0.0.1:%%PORT_0%%; server_name third; return 200 "third $late|"; }
  }`)
  assert.equal(bodyOf(await server.raw(get('first'))), 'first  |')
  assert.equal(bodyOf(await server.raw(get('second', '/abc?own=shown'))), 'abc x ex|')
  assert.equal(bodyOf(await server.raw(get('third'))), 'third |')
  assert.match(server.errorLog(), /using uninitialized "late" variable.*host: "third"/)
  assert.doesNotMatch(server.errorLog(), /"cut" variable/)
  await server.until('three lines', () => server.accessLog().split('\n').length === 4)
  assert.deepEqual(server.accessLog().split('\n'), ['first  - none', 'second x hidden ex', 'third  - none', ''])
})

test('names are found while their servers wait: wildcards, expressions, other addresses, includes', async () => {
  await using server = await startViaduct(
    `http {
      ${FIRST}
      server { listen 127.0.0.1:%%PORT_0%%; server_name *.wild.test mail.*; return 200 "$server_name|"; }
      server { listen 127.0.0.1:%%PORT_0%%; server_name ~^(?<cut>\\w+)\\.re\\.test$; return 200 "$cut|"; }
      server { include inner.conf; return 200 "included $server_port|"; }
      server { listen 127.0.0.1:%%PORT_1%%; return 200 other|; }
    }`,
    { files: { 'inner.conf': 'listen 127.0.0.1:%%PORT_0%%;\nlisten 127.0.0.1:%%PORT_1%%;\nserver_name inc;' } },
  )
  for (const [host, expected] of [
    ['a.wild.test', '*.wild.test|'],
    ['mail.x', '*.wild.test|'],
    ['some.re.test', 'some|'],
    ['inc', `included ${server.port(0)}|`],
    ['nobody', 'first|'],
  ] as const) {
    assert.equal(bodyOf(await server.raw(get(host))), expected, host)
  }
  assert.equal(bodyOf(await server.raw(get('inc'), 1)), `included ${server.port(1)}|`)
})

test('what is wrong in a server that would wait is found when it is checked', async () => {
  const conf = (rule: string): string =>
    `http { ${FIRST} server { listen 127.0.0.1:%%PORT_0%%; server_name b; location / { ${rule} } } }`
  await using server = await startViaduct(conf('return 200 b|;'))
  assert.match(await server.reloadRefused(conf('nonsense on;')), /unknown directive "nonsense"/)
  assert.match(await server.reloadRefused(conf('return 200 $nobody;')), /unknown "nobody" variable/)
  assert.match(await server.reloadRefused(conf('limit_req zone=none;')), /zero size shared memory zone "none"/)
  assert.equal(bodyOf(await server.raw(get('b'))), 'b|')
})

test('requests are answered all through the reload of many servers', async () => {
  const conf = (text: string): string => {
    const one = (i: number): string =>
      `server { listen 127.0.0.1:%%PORT_0%%; server_name s${i}; location / { return 200 ${text}${i}; } location ~ \\.x$ { } }`
    const lines = Array.from({ length: 5000 }, (_, i) => `/old/${i} /new/${i};`)
    return `http { map $uri $moved { ${lines.join('\n')} } ${Array.from({ length: 300 }, (_, i) => one(i)).join('\n')} }`
  }
  await using server = await startViaduct(conf('old'))
  using kept = await server.connect()
  let answers = 0
  const askUntil = async (text: string): Promise<void> => {
    while (!kept.received.endsWith(text)) {
      kept.write('GET / HTTP/1.1\r\nHost: s299\r\n\r\n')
      answers++
      await kept.until(new RegExp(`(?:[^]*?(old|new)299){${answers}}`))
    }
  }
  await askUntil('old299')
  await Promise.all([askUntil('new299'), server.reload(conf('new'))])
  assert.ok(answers > 3, `${answers} answers`)
})

test('reloads that come faster than workers read end with the last one', async () => {
  const conf = (text: string): string => {
    const one = (i: number): string =>
      `server { listen 127.0.0.1:%%PORT_0%%; server_name s${i}; access_log %%DIR%%/${text}.log; return 200 ${text}${i}|; }`
    return `worker_processes 2; http { ${Array.from({ length: 200 }, (_, i) => one(i)).join('\n')} }`
  }
  await using server = await startViaduct(conf('a'))
  for (const text of ['b', 'c', 'd']) {
    server.prefix.write('nginx.conf', withDefaults(conf(text)))
    server.signal('SIGHUP')
    await server.until('it is read', () => server.errorLog().includes('reconfiguring'))
  }
  await server.reload(conf('e'))
  let inRow = 0
  await server.until('the last one serves, in every worker', async () => {
    inRow = bodyOf(await server.raw(get('s7'))) === 'e7|' ? inRow + 1 : 0
    return inRow === 10
  })
})
