/** Configurations in TypeScript: what they mean, what is told of mistakes in them, what the compiler says. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from '../../src/config/parser.ts'
import { toBinary } from '../../src/lib/bytes.ts'
import { decodeText } from '../../src/lib/text.ts'
import { startViaduct } from '../harness/server.ts'
import { Workshop } from './console.ts'

const HEAD = `import { entry, events, gzip, http, if_, listen, location, map, proxy_pass, return_, server, server_name } from 'viaduct/config'
`

async function dumped(shop: Workshop): Promise<string> {
  const { out, error } = await shop.run(['dump', '-c', 'viaduct.config.ts'])
  assert.equal(error, '')
  return out.replace(/^# .*\n/gm, '').trim()
}

test('functions, lists and loops become statements in their order', async () => {
  using shop = new Workshop()
  shop.write(
    'viaduct.config.ts',
    `${HEAD}
const names: string[] = ['a.com', 'b.com']
export default [
  events(),
  http(
    gzip(true),
    map('$uri', '$kind', entry('default', 'a page'), entry('~\\\\.png$', 'picture')),
    names.map((name) => server(listen(8081), server_name(name), location('/', return_(200, name)))),
    undefined,
  ),
]`,
  )
  assert.equal(
    await dumped(shop),
    `events {
}
http {
    gzip on;
    map $uri $kind {
        default "a page";
        "~\\\\.png$" picture;
    }
    server {
        listen 8081;
        server_name a.com;
        location / {
            return 200 a.com;
        }
    }
    server {
        listen 8081;
        server_name b.com;
        location / {
            return 200 b.com;
        }
    }
}`,
  )
})

test('words come back as they were given, whatever is in them', async () => {
  using shop = new Workshop()
  const texts = [
    'a b',
    'quote "',
    "single '",
    'back\\slash',
    '\\.php',
    'line\nend',
    'tab\t',
    '# no comment',
    'semi;colon',
    '{brace}',
    '',
    '$uri',
    'é',
  ]
  shop.write(
    'viaduct.config.ts',
    `${HEAD}export default [events(), http(${JSON.stringify(texts)}.map((text, i) => server(listen(9000 + i), return_(200, text))))]`,
  )
  const [, http] = parse(await dumped(shop), 'nginx.conf', {})
  const found = http!.block!.map(({ block }) => decodeText(Buffer.from(toBinary(block![1]!.args[1]!.text), 'latin1')))
  assert.deepEqual(found, texts)
})

for (const [what, body, problem] of [
  [
    'a wrong value',
    "http(\n  gzip('maybe'))",
    /invalid value "maybe" in "gzip" directive, it must be "on" or "off" in .*viaduct\.config\.ts:3$/,
  ],
  [
    'a directive in the wrong place',
    "http(\n\n  proxy_pass('http://a'))",
    /"proxy_pass" directive is not allowed here in .*viaduct\.config\.ts:4$/,
  ],
  [
    'an exception',
    "http(\n(() => { throw new Error('no ports') })())",
    /viaduct\.config\.ts" cannot be run: Error: no ports in .*viaduct\.config\.ts:3$/,
  ],
  [
    'a name that is no directive',
    'http(gzipp(true))',
    /cannot be run: ReferenceError: gzipp is not defined in .*viaduct\.config\.ts:2$/,
  ],
  [
    'something that is no statement',
    "'http {}'",
    /cannot be run: TypeError: its default export is to be a list of statements/,
  ],
] as const) {
  test(`${what} is told at its line`, async () => {
    using shop = new Workshop()
    shop.write('viaduct.config.ts', `${HEAD}export default [events(), ${body}]`)
    const { status, error } = await shop.run(['dump', '-c', 'viaduct.config.ts'])
    assert.equal(status, 1)
    assert.match(error.trimEnd(), problem)
  })
}

test('a server includes it, and runs it again for a reload', async () => {
  const text = (word: string): string =>
    `import { listen, return_, server } from 'viaduct/config'
export default server(listen('127.0.0.1:%%PORT_0%%'), return_(200, '${word}'))`
  const conf = 'http { include %%DIR%%/site.ts; }'
  await using server = await startViaduct(conf, { files: { 'site.ts': text('first') } })
  const body = async (): Promise<string> => (await fetch(`http://127.0.0.1:${server.prefix.port()}/`)).text()
  assert.equal(await body(), 'first')
  server.prefix.write('site.ts', text('second').replaceAll('%%PORT_0%%', String(server.prefix.port())))
  await server.reload()
  assert.equal(await body(), 'second')
})

test('the compiler knows where directives may stand and what they take', async () => {
  using shop = new Workshop()
  const { out } = await shop.run(['types'])
  shop.write('viaduct-config.d.ts', out)
  const check = (body: string): string => {
    shop.write(
      'viaduct.config.ts',
      `${HEAD}export default [events(), ${body}]\nexport const unused = [entry, gzip, if_, map, proxy_pass, return_, server_name, location, listen, server]\n`,
    )
    const tsc = path.join(import.meta.dirname, '../../node_modules/.bin/tsc')
    const words = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--types',
      '',
      'viaduct.config.ts',
      'viaduct-config.d.ts',
    ]
    return spawnSync(tsc, words, { cwd: shop.dir, encoding: 'utf8' }).stdout
  }
  assert.equal(
    check("http(gzip(true), server(listen(80), location('/', if_('($a)', return_(200)), proxy_pass('http://a'))))"),
    '',
  )
  assert.match(check("http(proxy_pass('http://a'))"), /error TS/)
  assert.match(check("http(gzip('maybe'))"), /error TS/)
})
