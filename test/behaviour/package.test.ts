/** The published package: packed, installed into an empty folder, and run from there. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Prefix } from '../harness/server.ts'
import { until } from '../harness/wait.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CONF = `daemon off; worker_processes 2; pid %%DIR%%/nginx.pid; error_log %%DIR%%/error.log; events { }
http {
  server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 "installed\\n"; } location /files/ { root %%DIR%%; }
    location ~ \\.php { include snippets/fastcgi-php.conf; fastcgi_pass 127.0.0.1:9; } }
}`

/** Neither the clone's launcher nor the options of the test runner belong to what is installed. */
const { VIADUCT_LAUNCHER: _, NODE_OPTIONS: __, NODE_TEST_CONTEXT: ___, ...env } = process.env
const running = new AsyncDisposableStack()
let folder: string
let command: string

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-package-'))
  running.defer(() => fs.rmSync(folder, { recursive: true, force: true }))
  // Threads of a server that root starts run as nobody.
  fs.chmodSync(folder, 0o755)
  npm(['pack', '--silent', '--pack-destination', folder], ROOT)
  const tarball = fs.readdirSync(folder).find((name) => name.endsWith('.tgz'))
  assert.ok(tarball !== undefined)
  fs.writeFileSync(`${folder}/package.json`, '{}')
  // Optional packages would be there or not, as this machine has them or not.
  npm(['install', '--silent', '--offline', '--omit=optional', '--no-audit', '--no-fund', `./${tarball}`], folder)
  command = `${folder}/node_modules/.bin/viaduct`
})
after(() => running.disposeAsync())

function npm(args: readonly string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, env, encoding: 'utf8' })
  assert.equal(status, 0, `npm ${args.join(' ')}\n${stdout}${stderr}`)
}

function run(...args: string[]): { status: number | null; stderr: string } {
  return spawnSync(command, args, { env, encoding: 'utf8' })
}

test('holds the program and nothing of the workshop', () => {
  const files = fs.readdirSync(`${folder}/node_modules/viaduct`).sort()
  assert.deepEqual(files, ['CHANGELOG.md', 'LICENSE', 'README.md', 'conf', 'dist', 'docs', 'package.json'])
  assert.ok(fs.existsSync(`${folder}/node_modules/viaduct/dist/dashboard.html`))
  assert.deepEqual(fs.readdirSync(`${folder}/node_modules`), ['.bin', '.package-lock.json', 'viaduct'])
})

test('threads find few files, in little memory, and nothing of Node that they do not need', () => {
  const dist = `${folder}/node_modules/viaduct/dist`
  const text = fs.readFileSync(`${dist}/shared/server.plain.js`, 'utf8')
  // As lists: nobody wants to see a text of two megabytes that does not match.
  const found = (pattern: RegExp): readonly string[] => text.match(pattern)?.slice(0, 3) ?? []
  assert.deepEqual(found(/^const net = process\.getBuiltinModule\("node:net"\);$/m).length, 1)
  assert.deepEqual(found(/^import .*"node:/gm), [])
  // V8 keeps a text in twice the room when one of its characters is none of ASCII's.
  assert.deepEqual(found(/[^\0-\x7f]/g), [])
  const imported = [...text.matchAll(/^import .*"\.\/([\w-]+)\.js";$/gm)].map((one) => one[1])
  assert.deepEqual(imported, ['rolldown-runtime', 'start', 'engine'])
  // The same with the code that V8 had compiled, which this Node accepts; another one goes on without.
  const says = (node: string): string => {
    const script = `import { Script } from 'node:vm'
      import fs from 'node:fs'
      const cachedData = fs.readFileSync('${dist}/shared/server-${process.version}-${process.arch}.code')
      const script = new Script(fs.readFileSync('${dist}/shared/server.text.js', 'latin1'), { cachedData })
      console.log(script.cachedDataRejected)`
    return spawnSync(process.execPath, [...node.split(' '), '--input-type=module', '-e', script], {
      env,
      encoding: 'utf8',
    }).stdout
  }
  assert.equal(says('--no-warnings'), 'false\n')
  assert.equal(says('--no-warnings --no-opt'), 'true\n')
  assert.equal(spawnSync(process.execPath, ['--no-opt', `${dist}/main.js`, '-v'], { env }).status, 0)
})

test('-V and -t', async () => {
  const version = run('-V')
  assert.equal(version.status, 0)
  assert.match(version.stderr, /^nginx version: nginx\/1\.31\.5$/m)
  assert.match(version.stderr, /^configure arguments: --with/m)
  await using prefix = await Prefix.create(CONF)
  const tested = run('-t', '-p', `${prefix.dir}/`, '-c', 'nginx.conf')
  assert.equal(tested.status, 0, tested.stderr)
  assert.match(tested.stderr, /nginx\.conf test is successful\n$/)
})

test('serves in the process that was started, reloads, and says nothing of its own', async () => {
  await using prefix = await Prefix.create(CONF, { 'files/a.html': '<p>a</p>' })
  const server = spawn(command, ['-p', `${prefix.dir}/`, '-c', 'nginx.conf'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: string[] = []
  for (const stream of [server.stdout, server.stderr]) stream.setEncoding('utf8').on('data', (text) => said.push(text))
  try {
    await untilServed(server, () => prefix.read('nginx.pid') !== '')
    assert.equal(Number(prefix.read('nginx.pid')), server.pid)
    const url = `http://127.0.0.1:${prefix.port()}/`
    assert.equal(await (await fetch(url)).text(), 'installed\n')
    const file = await fetch(`${url}files/a.html`)
    assert.equal(await file.text(), '<p>a</p>')
    prefix.write('nginx.conf', CONF.replace('installed', 'reloaded'))
    server.kill('SIGHUP')
    await untilServed(server, async () => (await (await fetch(url)).text()) === 'reloaded\n')
  } finally {
    server.kill('SIGQUIT')
  }
  assert.deepEqual(await once(server, 'exit'), [0, null])
  assert.deepEqual(said, [])
})

test('says what to do where Node is too old', () => {
  const script = fs.readFileSync(`${folder}/node_modules/viaduct/dist/bin/viaduct.js`, 'utf8')
  const old = script.replace('process.versions.node.split', '"20.1.0".split')
  fs.writeFileSync(`${folder}/old.mjs`, old)
  const { status, stderr } = spawnSync(process.execPath, [`${folder}/old.mjs`], { env, encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /^viaduct: Node 24 or newer is needed/)
})

function untilServed(server: ChildProcess, condition: () => boolean | Promise<boolean>): Promise<void> {
  return until('the server is there', () => {
    assert.equal(server.exitCode, null, 'the server ended')
    return condition()
  })
}
