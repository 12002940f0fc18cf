/** map, geo, split_clients. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prefix, startViaduct, withDefaults } from '../harness/server.ts'

const CONF = `
http {
  map $arg_x $kind { default "none"; include more.conf; a one; ~^b(?<rest>.*)$ "b:$rest:$arg_y"; \\~t tilde; B exact; }
  map $arg_x $host_kind { hostnames; *.example.com sub; .org.uk $kind; www.* www; }
  map $arg_x $first { "" $second; default $arg_x; }
  map $arg_y $second { default "second $arg_y"; }
  geo $net { default far; 127.0.0.0/8 near; 127.0.0.1 here; }
  geo $arg_x $range { ranges; default out; 10.0.0.0-10.0.0.255 in; 10.0.0.7-10.0.0.7 seven; delete 10.0.0.8-10.0.0.255; }
  geo $forwarded { proxy 127.0.0.1; 192.0.2.0/24 client; }
  split_clients $arg_x $split { 50% half; * rest; }
  server { listen 127.0.0.1:%%PORT_0%%;
    location /map { return 200 "$kind|$host_kind|$first"; }
    location /geo { return 200 "$net|$range|$forwarded|$split"; }
  } }`

test('map, geo and split_clients', async () => {
  await using server = await startViaduct(CONF, { files: { 'more.conf': 'c included;' } })
  const get = async (target: string, headers: Record<string, string> = {}): Promise<string> =>
    (await fetch(server.url(target), { headers })).text()
  assert.equal(await get('/map?x=A&y=2'), 'one||A')
  assert.equal(await get('/map?x=bcd&y=2'), 'b:cd:2||bcd')
  assert.equal(await get('/map?x=b'), 'exact||b')
  assert.equal(await get('/map?x=~t'), 'tilde||~t')
  assert.equal(await get('/map?x=c'), 'included||c')
  assert.equal(await get('/map?y=q'), 'none||second q')
  assert.equal(await get('/map?x=a.example.com.'), 'none|sub|a.example.com.')
  assert.equal(await get('/map?x=org.uk'), 'none|none|org.uk')
  assert.equal(await get('/map?x=www.y'), 'none|www|www.y')
  assert.equal(await get('/geo?x=10.0.0.7'), 'here|seven||half')
  assert.match(await get('/geo?x=10.0.0.1', { 'X-Forwarded-For': '192.0.2.3' }), /^here\|in\|client\|(half|rest)$/)
  assert.match(await get('/geo?x=10.0.0.9'), /^here\|out\|/)
})

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['map $uri $x { a; }', /invalid number of the map parameters in .*:1/],
  ['map $uri $x { a 1; A 2; }', /conflicting parameter "A" in .*:1/],
  ['map $uri $x { default 1; default 2; }', /duplicate default map parameter in .*:1/],
  ['map $uri $x { hostnames; a* 1; }', /invalid hostname or wildcard "a\*" in .*:1/],
  ['map $uri x { }', /invalid variable name "x" in .*:1/],
  ['map $uri $uri { }', /the duplicate "uri" variable in .*:1/],
  ['map $nothing $x { }', /unknown "nothing" variable/],
  ['geo $x { 300.0.0.0 1; }', /invalid network "300.0.0.0" in .*:1/],
  ['geo $x { ranges; 10.0.0.9-10.0.0.1 1; }', /invalid range "10.0.0.9-10.0.0.1" in .*:1/],
  [
    'geo $x { ranges; 10.0.0.0-10.0.0.9 1; 10.0.0.5-10.0.1.0 2; }',
    /range "10.0.0.5-10.0.1.0" overlaps "10.0.0.0-10.0.0.9"/,
  ],
  ['split_clients $uri $x { 60% a; 50% b; }', /percent total is greater than 100% in .*:1/],
  ['split_clients $uri $x { 0% a; }', /invalid percent value "0%" in .*:1/],
]

for (const [text, message] of REFUSED) {
  test(`refused: ${text}`, async () => {
    const prefix = await Prefix.create(withDefaults(`http { ${text} server { listen 127.0.0.1:%%PORT_0%%; } }`))
    const { code, stderr } = await prefix.run(['-t'])
    prefix.remove()
    assert.equal(code, 1)
    assert.match(stderr, message)
  })
}
