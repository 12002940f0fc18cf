/** `viaduct init`: what it finds, and that what it writes is right: for lint, for fmt and for the server. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { runViaduct } from '../harness/server.ts'
import { Workshop } from '../tools/console.ts'

const json = (...names: readonly string[]): string =>
  JSON.stringify({ dependencies: Object.fromEntries(names.map((name) => [name, '*'])) })

const PROJECTS: readonly (readonly [found: string, files: Readonly<Record<string, string>>])[] = [
  [
    'a Vite application in frontend/, FastAPI in backend/',
    { 'frontend/package.json': json('vite'), 'backend/requirements.txt': 'fastapi==1\n' },
  ],
  ['a Vite application', { 'package.json': json('vite', 'react') }],
  ['Next', { 'package.json': json('next') }],
  [
    'a Vite application in web/, Express in api/',
    { 'web/package.json': json('vite'), 'api/package.json': json('express') },
  ],
  ['Django', { 'manage.py': '', 'requirements.txt': 'Django>=5\n' }],
  ['a Vite application in web/, Django in site/', { 'web/package.json': json('vite'), 'site/manage.py': '' }],
  ['Flask', { 'pyproject.toml': '[project]\ndependencies = ["flask"]\n' }],
  ['PHP', { 'composer.json': '{}', 'public/index.php': '<?php' }],
  ['Go', { 'go.mod': 'module x\n' }],
  ['pages in public/, Go', { 'go.mod': 'module x\n', 'public/index.html': '' }],
  ['pages', { 'index.html': '' }],
]

for (const [found, files] of PROJECTS) {
  for (const words of [[], ['--domain', 'example.com', '--target', 'systemd']]) {
    test(`${found} ${words.join(' ')}`, async () => {
      using shop = new Workshop(files)
      const { status, error } = await shop.run(['init', '--yes', ...words])
      assert.equal(status, 0, error)
      assert.match(error, new RegExp(`^Found: ${found}\n`))
      for (const name of ['dev', 'prod']) {
        const linted = await shop.run(['lint', `conf/nginx/${name}.nginx`])
        assert.equal(linted.out, 'nothing found\n')
      }
      const layout = await shop.run(['fmt', '--check', 'conf'])
      assert.equal(layout.status, 0, layout.out)
      const compose = `${shop.dir}/compose.yaml`
      if (words.length === 0) assert.ok(parse(fs.readFileSync(compose, 'utf8')).services.viaduct)
      const checked = await runViaduct(['-t', '-q', '-c', `${shop.dir}/conf/nginx/dev.nginx`])
      assert.deepEqual([checked.code, checked.stderr], [0, ''])
    })
  }
}

test('files that exist are left alone, and a terminal is asked', async () => {
  using shop = new Workshop({ 'index.html': '', 'compose.yaml': 'mine' })
  const { status, out, error } = await shop.run(['init'], '', ['example.com', ''])
  assert.equal(status, 0, error)
  assert.match(out, /viaduct -c conf\/nginx\/dev\.nginx\n/)
  assert.equal(shop.read('compose.yaml'), 'mine')
  assert.ok(fs.existsSync(`${shop.dir}/compose.viaduct.yaml`))
  assert.match(shop.read('conf/nginx/prod.nginx'), /server_name example\.com;/)
  const again = await shop.run(['init', '--yes'])
  assert.equal(again.status, 2)
  assert.match(again.error, /conf\/nginx\/http\.conf, .* exist already\n {2}hint: --force/)
})

test('as JSON', async () => {
  using shop = new Workshop({ 'go.mod': 'module x' })
  const { found, files } = JSON.parse((await shop.run(['init', '--print', '--json'])).out)
  assert.equal(found.backend.kind, 'Go')
  assert.deepEqual(Object.keys(files), [
    'conf/nginx/http.conf',
    'conf/nginx/dev.nginx',
    'conf/nginx/prod.nginx',
    'compose.yaml',
  ])
  assert.deepEqual(fs.readdirSync(shop.dir), ['go.mod'])
})

test('what is unknown or wrong is said', async () => {
  using shop = new Workshop({ 'x.txt': '' })
  assert.match((await shop.run(['init', '--yes'])).error, /nothing is known of what is in/)
  shop.write('index.html', '')
  assert.match((await shop.run(['init', '--yes', '--domain', 'x y'])).error, /"x y" is no domain/)
  assert.match(
    (await shop.run(['init', '--yes', '--target', 'k8s'])).error,
    /there is no target "k8s"\n {2}hint: targets are compose, systemd/,
  )
})
