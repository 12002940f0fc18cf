/** `viaduct lint`: where configurations come from, what reports look like, what is allowed, known and mended. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Workshop } from './console.ts'

const BAD = 'server {\n    listen 80;\n    # why\n    location /files { # here\n        alias /data/;\n    }\n}\n'
const MAIN = 'events {}\nhttp {\n    server_tokens off;\n    include conf.d/*.conf;\n}\n'

interface Said {
  readonly plugin: string
  readonly file: string
  readonly line: number
  readonly severity: string
}

async function found(shop: Workshop, words: readonly string[], input = ''): Promise<string[]> {
  const { out } = await shop.run(['lint', '--json', ...words], input)
  return (JSON.parse(out) as Said[]).map(({ plugin, file, line, severity }) => `${file}:${line} ${severity} ${plugin}`)
}

test('a configuration is followed through its includes', async () => {
  using shop = new Workshop({ 'nginx.conf': MAIN, 'conf.d/a.conf': BAD })
  assert.deepEqual(await found(shop, ['nginx.conf']), ['conf.d/a.conf:4 HIGH alias_traversal'])
  assert.deepEqual(await found(shop, ['.']), ['conf.d/a.conf:4 HIGH alias_traversal'])
  assert.deepEqual(await found(shop, ['-c', 'nginx.conf']), ['conf.d/a.conf:4 HIGH alias_traversal'])
})

test('a file that others include is put into its blocks, and what is elsewhere is not missed', async () => {
  using shop = new Workshop({
    'conf.d/a.conf': BAD,
    'conf.d/b.conf': 'include /none/x.conf;\nlocation / { proxy_pass http://app; limit_req zone=z; }\n',
  })
  assert.deepEqual(await found(shop, ['conf.d']), ['conf.d/a.conf:4 HIGH alias_traversal'])
})

test('names in a part are looked for in the folders above', async () => {
  using shop = new Workshop({
    'parts/tls.conf': 'ssl_protocols TLSv1;\n',
    'sites/a.conf': 'server { listen 443 ssl; include parts/tls.conf; }\n',
  })
  assert.deepEqual(await found(shop, ['sites/a.conf']), ['parts/tls.conf:1 MEDIUM weak_ssl_tls'])
})

test('files that a configuration for a container names lie beside it', async () => {
  using shop = new Workshop({
    'prod.nginx':
      'events {}\nhttp { server_tokens off; include /etc/nginx/no-such-http.conf; include /etc/nginx/no-such.d/*.conf; }\n',
    'no-such-http.conf': 'keepalive_requests 10;\n',
    'no-such.d/a.conf': BAD,
  })
  assert.deepEqual(await found(shop, ['prod.nginx']), [
    'no-such-http.conf:1 LOW low_keepalive_requests',
    'no-such.d/a.conf:4 HIGH alias_traversal',
  ])
})

test('a folder of more than configurations: wholes first, their parts once, what is not of nginx not at all', async () => {
  using shop = new Workshop({
    'lib/nginx.conf': MAIN,
    'lib/conf.d/a.conf': BAD,
    'lib/acl.conf': 'allow 10.0.0.0/8;\n',
    'installer.conf': 'export DEBUG=1\nfor x in a b; do { echo "$x"; }; done\n',
  })
  assert.deepEqual(await found(shop, ['.']), ['lib/conf.d/a.conf:4 HIGH alias_traversal'])
})

test('what may be used in files that are not here is not called unused', async () => {
  const unused = 'upstream app { server 127.0.0.1:1; } map $host $x { default 1; } server { listen 80; }'
  using shop = new Workshop({
    'all.conf': `events {} http { server_tokens off; ${unused} }`,
    'some.conf': `events {} http { server_tokens off; ${unused} include sites/*; }`,
    'modules.conf': `include modules/*.conf; events {} http { server_tokens off; ${unused} }`,
  })
  assert.deepEqual(await found(shop, ['all.conf']), ['all.conf:1 LOW unused_upstream'])
  assert.deepEqual(await found(shop, ['some.conf']), [])
  assert.deepEqual(await found(shop, ['modules.conf']), ['modules.conf:1 LOW unused_upstream'])
})

test('what is only broken text around it is not called missing', async () => {
  const torn = 'location / { proxy_pass http://127.0.0.1:1; proxy_set_header Connection upgrade; ... }'
  using shop = new Workshop()
  assert.deepEqual(await found(shop, ['-'], torn), ['stdin:1 HIGH configuration_error'])
})

test('a table whose empty value means none needs no default', async () => {
  const table = 'map $sent_http_content_type $policy { text/html x; } map $uri $field { /a x; }'
  using shop = new Workshop({
    'a.conf': `${table} server { listen 80; add_header X $policy always; add_header Y $field always; }`,
  })
  assert.deepEqual(await found(shop, ['--level', 'info', 'a.conf']), [])
  shop.write('b.conf', 'map $uri $field { /a x; } server { listen 80; if ($field) { return 403; } }')
  assert.deepEqual(await found(shop, ['--level', 'info', 'b.conf']), ['b.conf:1 UNSPECIFIED hash_without_default'])
})

test('standard input: a text, and what nginx -T prints', async () => {
  using shop = new Workshop()
  assert.deepEqual(await found(shop, ['-'], BAD), ['stdin:4 HIGH alias_traversal'])
  const dump = `nginx: the configuration file is ok\n# configuration file /etc/nginx/nginx.conf:\n${MAIN}\n# configuration file /etc/nginx/conf.d/a.conf:\n${BAD}\n`
  assert.deepEqual(await found(shop, ['-'], dump), ['/etc/nginx/conf.d/a.conf:4 HIGH alias_traversal'])
})

test('the text for people shows the line, the reason and what to do', async () => {
  using shop = new Workshop({ 'a.conf': BAD })
  const { status, out } = await shop.run(['lint', 'a.conf'])
  assert.equal(status, 1)
  assert.match(
    out,
    /^a\.conf:4:14: high: "\/files\.\.\/x" leads out of \/data\/ \[alias_traversal\]\n 4 \| {5}location \/files \{ # here\n {3}\| {14}\^{6}\n {2}why: /,
  )
  assert.match(out, /\n {2}--fix: end the location with a slash\n\n1 found: 1 high\n$/)
})

test('what the server itself says is found too', async () => {
  using shop = new Workshop({
    'a.conf': 'server {\n    lisen 80;\n}\n',
    'b.conf': 'events {}\nhttp { server { listen 80; return 200 $nobody; } }\n',
  })
  const { out } = await shop.run(['lint', 'a.conf'])
  assert.match(out, /^a\.conf:2:5: high: unknown directive "lisen" \(did you mean "listen"\?\) \[configuration_error\]/)
  assert.match((await shop.run(['lint', 'b.conf'])).out, /b\.conf:2:\d+: high: unknown "nobody" variable/)
})

test('comments allow what is meant', async () => {
  using shop = new Workshop({
    'a.conf': BAD.replace('# why', '# lint: allow alias_traversal these files are public'),
    'b.conf': BAD.replace('# here', '# lint: allow alias_traversal'),
    'c.conf': BAD.replace('server {', 'server { # lint: allow version_disclosure, alias_traversal'),
    'd.conf': `# lint: allow-file all\n${BAD}`,
    'e.conf': BAD.replace('# why', '# lint: allow host_spoofing'),
  })
  assert.deepEqual(await found(shop, ['.']), ['e.conf:4 HIGH alias_traversal'])
})

test('a baseline has what is known; it stays known when lines move', async () => {
  using shop = new Workshop({ 'a.conf': BAD })
  assert.equal((await shop.run(['lint', '--write-baseline', 'known.json', 'a.conf'])).status, 0)
  shop.write('a.conf', `# one\n\n${BAD}`)
  const { status, out } = await shop.run(['lint', '--baseline', 'known.json', 'a.conf'])
  assert.deepEqual([status, out], [0, 'nothing found\n'])
  shop.write('a.conf', BAD.replace('/files', '/other'))
  assert.equal((await shop.run(['lint', '--baseline', 'known.json', 'a.conf'])).status, 1)
  assert.match((await shop.run(['lint', '--baseline', 'a.conf', 'a.conf'])).error, /is no baseline/)
})

test('--fix changes only what it is about', async () => {
  using shop = new Workshop({
    'nginx.conf': MAIN,
    'conf.d/a.conf': `${BAD}server {\n    listen 443 ssl;\n    ssl_protocols  TLSv1 TLSv1.1 TLSv1.2   TLSv1.3; # old\n    location / {\n        allow 10.0.0.0/8; # us\n        root /srv;\n    }\n    error_log off;\n}\n`,
  })
  const { status, error } = await shop.run([
    'lint',
    '--fix',
    '--only',
    'alias_traversal,weak_ssl_tls,allow_without_deny,error_log_off',
    'nginx.conf',
  ])
  assert.deepEqual([status, error], [0, `${shop.dir}/conf.d/a.conf\n`])
  assert.equal(
    shop.read('conf.d/a.conf'),
    `${BAD.replace('/files', '/files/')}server {\n    listen 443 ssl;\n    ssl_protocols  TLSv1.2 TLSv1.3; # old\n    location / {\n        allow 10.0.0.0/8; # us\n        deny all;\n        root /srv;\n    }\n    error_log /dev/null crit;\n}\n`,
  )
})

test('SARIF has rules, places and fingerprints', async () => {
  using shop = new Workshop({ 'conf/a.conf': BAD })
  const { out } = await shop.run(['lint', '--format', 'sarif', '-o', 'x.sarif', 'conf'])
  assert.equal(out, '')
  const log = JSON.parse(shop.read('x.sarif'))
  assert.equal(log.version, '2.1.0')
  const [{ tool, results }] = log.runs
  assert.deepEqual(
    tool.driver.rules.map(({ id }: { id: string }) => id),
    ['alias_traversal'],
  )
  assert.equal(results[0].level, 'error')
  assert.deepEqual(results[0].locations[0].physicalLocation, {
    artifactLocation: { uri: 'conf/a.conf' },
    region: { startLine: 4, startColumn: 14, endColumn: 20 },
  })
  assert.match(results[0].partialFingerprints.primaryLocationLineHash, /^[0-9a-f]{16}:1$/)
})

test('annotations for GitHub', async () => {
  using shop = new Workshop({ 'a.conf': BAD })
  const { out } = await shop.run(['lint', '-f', 'github', 'a.conf'])
  assert.match(
    out,
    /^::error file=a\.conf,line=4,col=14,endColumn=20,title=alias_traversal::"\/files\.\.\/x" leads out of/,
  )
})

test('levels and names of checks', async () => {
  using shop = new Workshop({ 'a.conf': BAD })
  assert.deepEqual(await found(shop, ['--skip', 'alias_traversal', 'a.conf']), [])
  assert.deepEqual(await found(shop, ['-lll', 'a.conf']), ['a.conf:4 HIGH alias_traversal'])
  const { status, error } = await shop.run(['lint', '--only', 'alias_traversl', 'a.conf'])
  assert.deepEqual(
    [status, error],
    [2, 'viaduct lint: there is no check "alias_traversl"\n  hint: did you mean "alias_traversal"?\n'],
  )
  assert.equal((await shop.run(['lint', 'none.conf'])).status, 2)
  assert.match((await shop.run(['lint', '--list'])).out, /^alias_traversal +high /m)
})
