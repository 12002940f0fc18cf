/** Words before nginx's command line: help, options, statuses, completion. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { TOOLS } from '../../src/tools/frame/tools.ts'
import { runViaduct } from '../harness/server.ts'
import { Workshop } from './console.ts'

test('the program knows its tools, and nginx words stay nginx words', async () => {
  const help = await runViaduct(['--help'])
  assert.equal(help.code, 0)
  for (const { name } of TOOLS) assert.match(help.stdout, new RegExp(`^  ${name} `, 'm'))
  const version = await runViaduct(['--version'])
  assert.match(version.stdout, /^viaduct \d+\.\d+\.\d+ \(nginx 1\.\d+\.\d+\)\n$/)
  assert.equal((await runViaduct(['no-such-tool'])).stderr, 'viaduct: invalid option: "no-such-tool"\n')
})

for (const { name, summary, load } of TOOLS) {
  test(`${name}: --help has usage and examples, and a wrong option says so`, async () => {
    using shop = new Workshop()
    const tool = await load()
    assert.deepEqual([tool.name, tool.summary], [name, summary])
    assert.ok(tool.examples.length > 0)
    const help = await shop.run([name, '--help'])
    assert.equal(help.status, 0)
    assert.match(help.out, new RegExp(`^Usage: viaduct ${name}`, 'm'))
    assert.equal((await shop.run(['help', name])).out, help.out)
    const wrong = await shop.run([name, '--no-such-option'])
    assert.equal(wrong.status, 2)
    assert.match(wrong.error, new RegExp(`^viaduct ${name}: Unknown option '--no-such-option'`))
  })
}

test('every tool has --json, where it says something', async () => {
  const without: string[] = []
  for (const { name, load } of TOOLS) if (!Object.hasOwn((await load()).options, 'json')) without.push(name)
  // One speaks JSON anyway, the other writes scripts.
  assert.deepEqual(without, ['lsp', 'completion'])
})

test('types --json has every directive', async () => {
  using shop = new Workshop()
  const { out, status } = await shop.run(['types', '--json'])
  assert.equal(status, 0)
  const all = JSON.parse(out) as {
    readonly name: string
    readonly contexts: readonly string[]
    readonly explanation: string
  }[]
  const timeout = all.find(({ name }) => name === 'proxy_read_timeout')!
  assert.deepEqual(timeout.contexts, ['http', 'server', 'location'])
  assert.match(timeout.explanation, /silence/)
})

test('statuses: 2 for what cannot be done at all', async () => {
  using shop = new Workshop({ 'broken.conf': 'events {' })
  for (const words of [
    ['types', 'x'],
    ['lsp', 'x'],
    ['dump', '-c', 'none.conf'],
    ['dump', '--comments', 'broken.conf'],
    ['dump', '--json', 'none.conf'],
    ['lint', 'none.conf'],
    ['fmt', '--check', 'none.conf'],
    ['build', 'none.json'],
    ['diff', 'none.conf', 'none.conf'],
    ['explain', '-c', 'none.conf', 'http://a.com/'],
    ['serve', 'none'],
    ['completion', 'tcsh'],
  ]) {
    const { status, error } = await shop.run(words)
    assert.equal(status, 2, words.join(' '))
    // crossplane's JSON has its errors in it.
    if (!words.includes('--json')) assert.notEqual(error, '', words.join(' '))
  }
  assert.equal((await shop.run(['dump', '-c', 'broken.conf'])).status, 1)
})

test('build --json and explain --diff --json are JSON', async () => {
  using shop = new Workshop({
    'nginx.conf': 'events {} http { server { listen 80; return 200; } }',
    'new.conf': 'events {} http { server { listen 80; return 204; } }',
  })
  shop.write('x.json', (await shop.run(['dump', '--json', 'nginx.conf'])).out)
  const printed = JSON.parse((await shop.run(['build', '--json', '--stdout', 'x.json'])).out)
  assert.match(printed.files[0].text, /return 200;/)
  const written = JSON.parse((await shop.run(['build', '--json', '-d', 'out', 'x.json'])).out)
  assert.equal(written.files[0].file, `${shop.dir}/out/nginx.conf`)
  const changes = await shop.run(['explain', '-c', 'new.conf', '--diff', 'nginx.conf', '--json', 'http://a.com/'])
  assert.ok(
    JSON.parse(changes.out).some(
      ({ name, after }: { name: string; after: string }) => name === 'status' && after === '204',
    ),
  )
})

test('a misspelt option is recognised', async () => {
  using shop = new Workshop()
  assert.match((await shop.run(['fmt', '--chek', 'x'])).error, /hint: did you mean "--check"\?/)
})

for (const [shell, check] of [
  ['bash', ['bash', '-n']],
  ['zsh', ['zsh', '-n']],
  ['fish', ['fish', '-n']],
] as const) {
  test(`completion for ${shell} names every tool`, async (t) => {
    using shop = new Workshop()
    const { status, out } = await shop.run(['completion', shell])
    assert.equal(status, 0)
    for (const { name } of TOOLS) assert.ok(out.includes(name))
    shop.write('script', out)
    const {
      status: parsed,
      error,
      stderr,
    } = spawnSync(check[0], [check[1], `${shop.dir}/script`], { encoding: 'utf8' })
    if (error !== undefined) return t.skip(`no ${shell} here`)
    assert.equal(parsed, 0, stderr)
  })
}

test('bash completes', async () => {
  using shop = new Workshop({ 'a.conf': '' })
  const { out } = await shop.run(['completion', 'bash'])
  const complete = (...words: string[]): string[] => {
    const list = words.map((word) => `'${word}'`).join(' ')
    const script = `${out}\nCOMP_WORDS=(viaduct ${list}); COMP_CWORD=${words.length}; _viaduct; printf '%s\\n' "\${COMPREPLY[@]}"`
    return spawnSync('bash', ['-c', script], { cwd: shop.dir, encoding: 'utf8' }).stdout.split('\n').filter(Boolean)
  }
  assert.deepEqual(complete('fm'), ['fmt'])
  assert.deepEqual(complete('fmt', '--ch'), ['--check'])
  assert.deepEqual(complete('fmt', 'a'), ['a.conf'])
  assert.deepEqual(complete('completion', 'z'), ['zsh'])
  assert.deepEqual(complete('-s', 'rel'), ['reload'])
  assert.deepEqual(complete('explain', 'proxy_ssl_ver'), ['proxy_ssl_verify', 'proxy_ssl_verify_depth'])
  assert.deepEqual(complete('explain', '--status', 're'), ['refused', 'reset'])
})

test('the start loads nothing that only some configurations need', async () => {
  using shop = new Workshop({
    'nginx.conf': 'daemon off; error_log stderr; pid x.pid; events {} http { server { listen 127.0.0.1:1; } }',
    'loaded.cjs':
      "process.on('exit', () => process.stdout.write(process.moduleLoadList.filter((name) => /undici|NativeModule https?$|vscode/.test(name)).join()))",
  })
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const words = [
    '--disable-warning=ExperimentalWarning',
    '-r',
    `${shop.dir}/loaded.cjs`,
    main,
    '-t',
    '-q',
    '-c',
    `${shop.dir}/nginx.conf`,
  ]
  assert.equal(spawnSync(process.execPath, words, { encoding: 'utf8' }).stdout, '')
})
