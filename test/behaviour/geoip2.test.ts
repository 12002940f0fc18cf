/** geoip2: variables from databases, for the client, for who is behind proxies, for addresses in variables; renewed. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { bitsOf, encode, makeMmdb } from '../harness/mmdb.ts'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  geoip2 %%DIR%%/country.mmdb {
    auto_reload 5m;
    $build metadata build_epoch;
    $changed metadata last_change;
    $nothing metadata other;
    $country default=none country iso_code;
    $name country names en;
    $other "default=no one" source=$arg_ip country iso_code;
  }
  geoip2 city.mmdb {
    $city city;
  }
  geoip2_proxy 127.0.0.0/8;
  geoip2_proxy 10.0.0.1;
  geoip2_proxy_recursive on;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    location / { return 200 "$country|$name|$other|$city|$build|$nothing"; }
    location /changed { return 200 "$changed"; }
  }
}`

function database(code: string): Buffer {
  const names = { en: `Country ${code}`, de: `Land ${code}` }
  return makeMmdb([{ bits: bitsOf('192.0.2.0', 24, 6), record: encode({ country: { iso_code: code, names } }) }], 28, 6)
}
const CITY = makeMmdb([{ bits: bitsOf('192.0.2.7', 32, 4), record: encode({ city: 'Zürich' }) }], 24, 4)

async function get(server: Server, path: string, fields: Record<string, string> = {}): Promise<string> {
  return (await fetch(server.url(path), { headers: fields })).text()
}

test('values for clients, behind proxies and from variables', async () => {
  await using server = await startViaduct(CONF, { files: { 'country.mmdb': database('AA'), 'city.mmdb': CITY } })
  assert.equal(await get(server, '/'), 'none||no one||1700000000|')
  const behind = (list: string) => get(server, '/', { 'x-forwarded-for': list })
  assert.equal(await behind('192.0.2.7'), 'AA|Country AA|no one|Zürich|1700000000|')
  assert.equal(await behind('192.0.2.1, 10.0.0.1'), 'AA|Country AA|no one||1700000000|')
  assert.equal(await behind('192.0.2.7, 198.51.100.1'), 'none||no one||1700000000|')
  assert.equal(await get(server, '/?ip=192.0.2.9'), 'none||AA||1700000000|')
  for (const ip of ['198.51.100.1', '::1', 'x', '']) assert.match(await get(server, `/?ip=${ip}`), /\|no one\|/)
  assert.match(await get(server, '/?ip=::ffff:192.0.2.9'), /\|AA\|/)
})

test('a new file is noticed', async () => {
  await using server = await startViaduct(CONF, { files: { 'country.mmdb': database('AA'), 'city.mmdb': CITY } })
  const fields = { 'x-forwarded-for': '192.0.2.7' }
  assert.match(await get(server, '/', fields), /^AA/)
  const changed = await get(server, '/changed')
  assert.equal(changed, String(Math.floor(fs.statSync(server.prefix.path('country.mmdb')).mtimeMs / 1000)))
  // One that is broken is not taken.
  const replace = (bytes: Buffer) => {
    fs.writeFileSync(server.prefix.path('new'), bytes)
    fs.renameSync(server.prefix.path('new'), server.prefix.path('country.mmdb'))
  }
  replace(Buffer.from('broken'))
  await server.logged(
    /renewed files are not used.*MMDB_open\("\S+country.mmdb"\) failed - The MaxMind DB file contains/,
  )
  assert.match(await get(server, '/', fields), /^AA/)
  replace(database('BB'))
  await server.logged(/renewed files are used from now on: \S+country.mmdb/)
  let now = ''
  const deadline = performance.now() + 5000
  while (!now.startsWith('BB') && performance.now() < deadline) now = await get(server, '/', fields)
  assert.equal(now, 'BB|Country BB|no one|Zürich|1700000000|')
  const renewals = () => server.errorLog().split('from now on').length
  const before = renewals()
  await server.reload()
  assert.match(await get(server, '/', fields), /^BB/)
  assert.equal(renewals(), before)
})

test('what is wrong is told', async () => {
  const cases: readonly [string, string][] = [
    ['geoip2 none.mmdb { }', 'MMDB_open("%%DIR%%/none.mmdb") failed - Error opening the specified MaxMind DB file'],
    ['geoip2 nginx.conf { }', 'MMDB_open("%%DIR%%/nginx.conf") failed - The MaxMind DB file contains invalid metadata'],
    ['geoip2 a.mmdb { } geoip2 a.mmdb { }', 'Duplicate GeoIP2 mmdb - %%DIR%%/a.mmdb'],
    ['geoip2 a.mmdb { x y; }', 'invalid setting "x"'],
    ['geoip2 a.mmdb { $x other=y z; }', 'invalid setting "other=y" for "$x"'],
    ['geoip2 a.mmdb { $x source=y z; }', 'invalid source variable name "y"'],
    ['geoip2 a.mmdb { $x source=$y z; }', 'unknown "y" variable'],
    ['geoip2 a.mmdb { $x default=a default=b z; }', 'default has already been declared for  "$x"'],
    ['geoip2 a.mmdb { auto_reload x; }', 'invalid interval for auto_reload "x"'],
    ['geoip2 a.mmdb { auto_reload; }', 'invalid number of arguments for auto_reload'],
    ['geoip2_proxy x;', 'invalid network "x"'],
  ]
  for (const [lines, message] of cases) {
    await using prefix = await Prefix.create(`events { } http { ${lines} }`, { 'a.mmdb': CITY })
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, lines)
    assert.ok(stderr.includes(prefix.expand(message)), stderr)
  }
})
