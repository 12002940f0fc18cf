/** `-t` and `-T`: every mistake is told, nothing is started, and the exit status says how it went. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { Prefix, runViaduct, withDefaults } from '../harness/server.ts'

/** Where io_uring is forbidden `-t` has a line more; with `use epoll` nobody misses it. */
const GOOD = withDefaults('events { use epoll; } http { server { listen 127.0.0.1:%%PORT_0%%; } }')

test('-t says that a good configuration is good', async () => {
  await using prefix = await Prefix.create(GOOD)
  const { code, stdout, stderr } = await prefix.run(['-t'])
  const file = `${prefix.dir}/nginx.conf`
  assert.equal(
    stderr,
    `viaduct: the configuration file ${file} syntax is ok\nviaduct: configuration file ${file} test is successful\n`,
  )
  assert.equal(stdout, '')
  assert.equal(code, 0)
  assert.equal(fs.existsSync(prefix.path('error.log')), true)
})

test('-t -q says nothing about a good configuration', async () => {
  await using prefix = await Prefix.create(GOOD)
  assert.deepEqual(await prefix.run(['-tq']), { code: 0, signal: null, stdout: '', stderr: '' })
})

test('-t tells all mistakes with their places', async () => {
  await using prefix = await Prefix.create('daemon maybe;\nnonsense;\nevents { use magic; }\nworker_processes many;\n')
  const { code, stderr } = await prefix.run(['-t'])
  const file = `${prefix.dir}/nginx.conf`
  const wrong = 'invalid value "maybe" in "daemon" directive, it must be "on" or "off"'
  assert.equal(
    stderr,
    [
      `viaduct: [emerg] ${wrong} in ${file}:1`,
      `viaduct: [emerg] unknown directive "nonsense" in ${file}:2`,
      `viaduct: [emerg] invalid event type "magic" in ${file}:3`,
      `viaduct: [emerg] "worker_processes" directive invalid value in ${file}:4`,
      `viaduct: configuration file ${file} test failed`,
      '',
    ].join('\n'),
  )
  assert.equal(code, 1)
  assert.match(prefix.read('error.log'), /^\d.* \[emerg\] \d+#\d+: unknown directive "nonsense" in .*:2$/m)
})

test('-t with -e stderr logs instead of showing', async () => {
  await using prefix = await Prefix.create('nonsense;\nevents { }')
  const { code, stderr } = await prefix.run(['-t', '-e', 'stderr'])
  assert.equal(code, 1)
  assert.match(
    stderr,
    /^\d{4}\/\S+ \S+ \[emerg\] \d+#\d+: unknown directive "nonsense" in .*nginx.conf:1\nviaduct: conf/,
  )
})

test('a missing file and a missing events section are told', async () => {
  await using prefix = await Prefix.create('# nothing')
  const missing = await prefix.run(['-t', '-c', 'none.conf'])
  assert.equal(missing.code, 1)
  assert.ok(
    missing.stderr.startsWith(
      `viaduct: [emerg] open() "${prefix.dir}/none.conf" failed (2: No such file or directory)\n`,
    ),
    missing.stderr,
  )
  const empty = await prefix.run(['-t'])
  assert.equal(empty.code, 1)
  assert.match(empty.stderr, /^viaduct: \[emerg\] no "events" section in configuration\n/)
})

test('-T prints every file once and exactly', async () => {
  const conf = `${GOOD}\ninclude more.conf;\ninclude more.conf;\n`
  await using prefix = await Prefix.create(conf, { 'more.conf': '# more,\twith no end of line' })
  const { code, stdout, stderr } = await prefix.run(['-T'])
  assert.equal(code, 0)
  assert.equal(
    stdout,
    `# configuration file ${prefix.dir}/nginx.conf:\n${prefix.read('nginx.conf')}\n` +
      `# configuration file ${prefix.dir}/more.conf:\n# more,\twith no end of line\n`,
  )
  assert.match(stderr, /test is successful/)
})

test('-g sets directives of the main context, and its mistakes are told as such', async () => {
  await using prefix = await Prefix.create(GOOD)
  assert.equal((await prefix.run(['-tq', '-g', 'worker_processes 3;'])).code, 0)
  const { code, stderr } = await prefix.run(['-t', '-g', 'nonsense;'])
  assert.equal(code, 1)
  assert.match(stderr, /^viaduct: \[emerg\] unknown directive "nonsense" in command line\n/)
})

test('without -p, the folder of the configuration is the prefix', async () => {
  await using prefix = await Prefix.create('events { } pid some/where.pid;')
  const { code, stderr } = await runViaduct(['-t', '-c', prefix.path('nginx.conf'), '-e', 'stderr'])
  assert.equal(code, 1)
  assert.match(
    stderr,
    new RegExp(`open\\(\\) "${prefix.dir}/some/where.pid" failed \\(2: No such file or directory\\)`),
  )
})

test('an address that cannot be had is told; one in use is not', async () => {
  await using prefix = await Prefix.create(withDefaults('http { server { listen 192.0.2.1:%%PORT_0%%; } }'))
  const { code, stderr } = await prefix.run(['-t'])
  assert.equal(code, 1)
  assert.match(stderr, /\[emerg\] bind\(\) to 192\.0\.2\.1:\d+ failed \(99: Cannot assign requested address\)\n/)
})

const ACCOUNTS = [
  ['user', 'user no-such-user;', 'getpwnam\\("no-such-user"\\) failed'],
  ['group', 'user nobody no-such-group;', 'getgrnam\\("no-such-group"\\) failed'],
] as const

for (const [what, directive, message] of process.geteuid?.() === 0 ? ACCOUNTS : []) {
  test(`an unknown ${what} is told`, async () => {
    await using prefix = await Prefix.create(`${directive} events { }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`\\[emerg\\] ${message} in .*nginx.conf:1\n`))
  })
}

test('-t looks into every location, also for what others have said rightly', async () => {
  const lines = [
    'http { log_format known "$uri"; server { listen 127.0.0.1:%%PORT_0%%; access_log a.log known;',
    'location /a/ { return 200; }',
    'location /b/ { access_log b.log known; }',
    'location /c/ { access_log c.log unknown; return 200; }',
    'location /d/ { alias /d/; location /d/e/ { root /e/; alias /e/; } }',
    '} server { listen 127.0.0.1:%%PORT_0%%; location / { access_log d.log unknown; } } }',
  ]
  await using prefix = await Prefix.create(withDefaults(lines.join('\n')))
  const { code, stderr } = await prefix.run(['-t'])
  assert.equal(stderr.match(/unknown log format "unknown"/g)?.length, 2)
  assert.match(stderr, /"alias" directive is duplicate, "root" directive was specified earlier/)
  assert.equal(code, 1)
})

test('-t creates what a start creates, and tells what cannot be', async () => {
  await using prefix = await Prefix.create(
    withDefaults(
      'events { use epoll; } http { client_body_temp_path body; access_log %%DIR%%/a.log; server { listen 127.0.0.1:%%PORT_0%%; } }',
    ),
  )
  assert.equal((await prefix.run(['-tq'])).stderr, '')
  assert.equal(fs.existsSync(prefix.path('body')), true)
  assert.equal(fs.existsSync(prefix.path('a.log')), true)
  prefix.write('nginx.conf', withDefaults('events { use epoll; } http { access_log %%DIR%%/no/a.log; server { } }'))
  const log = await prefix.run(['-t'])
  assert.ok(
    log.stderr.includes(`[emerg] open() "${prefix.dir}/no/a.log" failed (2: No such file or directory)`),
    log.stderr,
  )
  assert.equal(log.code, 1)
  prefix.write('nginx.conf', withDefaults('events { use epoll; } http { proxy_temp_path no/p; server { } }'))
  const folder = await prefix.run(['-t'])
  assert.ok(folder.stderr.includes(`mkdir() "${prefix.dir}/no/p" failed (2: No such file or directory)`), folder.stderr)
  assert.equal(folder.code, 1)
})
