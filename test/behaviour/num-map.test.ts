/** num_map: single numbers before ranges, ranges in their order, and what is no number. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prefix, startViaduct } from '../harness/server.ts'

test('numbers and ranges', async () => {
  await using server = await startViaduct(`
    http {
      num_map $arg_n $value { volatile; default none; 80 one; 443 one; <=1023 low; 8080-8090 $arg_x; >60000 high; 0-9 never; }
      num_map $port { %%PORT_0%% own; }
      server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { return 200 "$value $port"; }
      }
    }`)
  const cases: readonly [string, string][] = [
    ['n=80', 'one'],
    ['n=443', 'one'],
    ['n=0', 'low'],
    ['n=1023', 'low'],
    ['n=1024', 'none'],
    ['n=8080&x=text', 'text'],
    ['n=8090', ''],
    ['n=8091', 'none'],
    ['n=60000', 'none'],
    ['n=60001', 'high'],
    ['n=99999999999999999999999', 'none'],
    ['n=x', 'none'],
    ['n=-1', 'none'],
    ['', 'none'],
  ]
  for (const [query, expected] of cases) {
    assert.equal(await (await fetch(server.url(`/?${query}`))).text(), `${expected} own`, query)
  }
})

test('what is refused', async () => {
  for (const [lines, message] of [
    ['num_map $a $b { x y; }', 'invalid number or range "x"'],
    ['num_map $uri $b { 5-1 y; }', 'invalid number or range "5-1"'],
    ['num_map $uri $b { 1; }', 'invalid number of the num_map parameters'],
    ['num_map $uri $b { 1 a; 1 b; }', 'conflicting parameter "1"'],
    ['num_map $uri $b { default a; default b; }', 'duplicate default num_map parameter'],
    ['num_map $nothing $b { 1 a; }', 'unknown "nothing" variable'],
    ['num_map $uri b { 1 a; }', 'invalid variable name "b"'],
  ] as const) {
    await using prefix = await Prefix.create(`events { } http { ${lines} }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, lines)
    assert.ok(stderr.includes(message), stderr)
  }
})
