/**
 * The extension for VS Code, as far as it goes without the editor: its types, the package, the language client with the real
 * server in a module that stands in for the editor's, and the grammar by the editor's own engine.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import path from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from '../../src/config/parser.ts'
import type { Statement } from '../../src/config/source.ts'
import { Workshop } from '../tools/console.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = `${ROOT}editors/vscode/`
const MANIFEST = JSON.parse(fs.readFileSync(`${FOLDER}package.json`, 'utf8'))
const installed = fs.existsSync(`${FOLDER}node_modules/vscode-textmate`)
const needs = installed ? {} : { skip: 'npm ci was not run in editors/vscode' }

const shop = new Workshop()
const unpacked = `${shop.dir}/unpacked`

function node(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const all = ['--disable-warning=ExperimentalWarning', ...words]
  return spawnSync(process.execPath, all, { encoding: 'utf8', env: { ...process.env, ...env }, timeout: 120_000 })
}

before(() => {
  if (!installed) return
  const { status, stderr } = node([`${ROOT}scripts/vscode-extension.ts`, `${shop.dir}/x.vsix`])
  assert.equal(status, 0, stderr)
  const unzip =
    'import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; z.extractall(sys.argv[2])'
  const done = spawnSync('python3', ['-c', unzip, `${shop.dir}/x.vsix`, unpacked], { encoding: 'utf8' })
  assert.equal(done.status, 0, done.stderr ?? 'Python is needed')
})

test('its types', needs, () => {
  const { status, stdout } = node([`${ROOT}node_modules/.bin/tsc`, '-p', FOLDER])
  assert.equal(status, 0, stdout)
})

test('the package has what its manifest names, and needs nothing else', needs, () => {
  assert.match(fs.readFileSync(`${unpacked}/extension.vsixmanifest`, 'utf8'), /Id="viaduct-nginx"/)
  const files = [
    MANIFEST.main,
    ...MANIFEST.contributes.grammars.map(({ path: file }: { path: string }) => file),
    ...MANIFEST.contributes.languages.map(({ configuration }: { configuration: string }) => configuration),
  ]
  for (const file of files) assert.ok(fs.existsSync(path.join(unpacked, 'extension', file)), file)
  const bundle = fs.readFileSync(path.join(unpacked, 'extension', MANIFEST.main), 'utf8')
  // The editor gives the extension its own module; everything else is in the file.
  const used = new Set([...bundle.matchAll(/require\("([^"]+)"\)/g)].map((match) => match[1]!))
  assert.ok(used.delete('vscode'))
  for (const name of used) assert.ok(isBuiltin(name), name)
  // What the editor offers, the extension must make.
  for (const { command } of MANIFEST.contributes.commands) assert.ok(bundle.includes(`"${command}"`), command)
})

test('the client and the server understand each other', needs, () => {
  shop.write('node_modules/vscode/index.js', fs.readFileSync(`${ROOT}test/harness/fake-vscode.cjs`, 'utf8'))
  const bundle = `${shop.dir}/extension.cjs`
  fs.copyFileSync(path.join(unpacked, 'extension', MANIFEST.main), bundle)
  shop.write('editor.cjs', fs.readFileSync(`${ROOT}test/harness/fake-editor.cjs`, 'utf8'))
  shop.write('conf/nginx.conf', 'events {}\nhttp { server { listen 80;\nlocation /i { alias /srv/; }\n} }\n')
  const env = { BUNDLE: bundle, VIADUCT: `${ROOT}bin/viaduct` }
  const { status, stdout, stderr } = node([`${shop.dir}/editor.cjs`, `${shop.dir}/conf/nginx.conf`, '2', '16'], env)
  assert.equal(status, 0, stderr)
  const told = JSON.parse(stdout)
  assert.deepEqual(told.shown, [])
  for (const feature of ['Completion', 'Hover', 'Definition', 'Reference', 'Rename', 'CodeActions', 'Formatting'])
    assert.ok(
      told.registered.some((name: string) => name.includes(feature)),
      feature,
    )
  const at = told.diagnostics.find(([line]: [number, string]) => line === 2)
  assert.match(at?.[1] ?? '', /leads out of|files outside|without a slash|traversal|\/srv/)
  assert.match(told.hover, /alias path;/)
})

interface Token {
  readonly startIndex: number
  readonly endIndex: number
  readonly scopes: readonly string[]
}

interface Grammar {
  tokenizeLine(line: string, before: unknown): { readonly tokens: readonly Token[]; readonly ruleStack: unknown }
}

/** The grammar in the engine that VS Code has. */
async function loadGrammar(): Promise<{ readonly grammar: Grammar; readonly start: unknown }> {
  const require = createRequire(FOLDER)
  const oniguruma = require('vscode-oniguruma')
  const textmate = require('vscode-textmate')
  const wasm = fs.readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'))
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength))
  const file = `${FOLDER}${MANIFEST.contributes.grammars[0].path}`
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns: readonly string[]) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text: string) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async (scope: string) =>
      scope === 'source.nginx' ? textmate.parseRawGrammar(fs.readFileSync(file, 'utf8'), file) : null,
  })
  return { grammar: await registry.loadGrammar('source.nginx'), start: textmate.INITIAL }
}

/** The scopes at each place of a text, and how deep the last line ends. */
async function tokenized(text: string): Promise<(line: number, column: number) => readonly string[]> {
  const { grammar, start } = await loadGrammar()
  let stack = start
  const lines = text.split('\n').map((line) => {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, stack)
    stack = ruleStack
    return tokens
  })
  return (line, column) =>
    lines[line - 1]!.find(({ startIndex, endIndex }) => startIndex < column && column <= endIndex)?.scopes ?? []
}

test('the grammar names what the parser finds', needs, async () => {
  const files = [
    ...fs.globSync('{conf,examples}/**/*.{conf,nginx}', { cwd: ROOT }).filter((file) => !file.includes('node_modules')),
    ...fs.globSync('test/tools/questions/*.conf', { cwd: ROOT }),
  ]
  assert.ok(files.length > 30)
  for (const file of files) {
    const text = fs.readFileSync(ROOT + file, 'utf8')
    const scopesAt = await tokenized(text)
    const visit = (statements: readonly Statement[]): void => {
      for (const { name, block, args } of statements) {
        const scopes = scopesAt(name.line, name.column)
        assert.ok(
          scopes.some((scope) => scope.startsWith('keyword.')),
          `${file}:${name.line}: ${name.text} is ${scopes.at(-1)}`,
        )
        for (const word of args.filter(({ text: one, quoted }) => /^\$\w+$/.test(one) && !quoted)) {
          const inner = scopesAt(word.line, word.column)
          assert.ok(inner.includes('variable.other.nginx'), `${file}:${word.line}: ${word.text} is ${inner.at(-1)}`)
        }
        // Lines of tables are data.
        if (block !== undefined && !/^(?:map|geo|types|split_clients|charset_map|num_map|geoip2)$/.test(name.text))
          visit(block)
      }
    }
    visit(parse(text, file).filter(({ fault }) => fault === undefined))
  }
})

test('the grammar in hard places', needs, async () => {
  const text = [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: nginx's own form
    'location ~ "^/a{2,3}/(?<id>[^/]+)$" { return 200 "${id} # no comment; $host"; } # a comment',
    "map $uri $x { default 0; ~^/b{1}$ 1; 'q # u' 2; }",
    'if ($request_method = POST) { set $y 10m; }',
    'rewrite ^/(.*)$ /n/$1 last;',
  ].join('\n')
  const scopesAt = await tokenized(text)
  const at = (line: number, mark: string): readonly string[] =>
    scopesAt(line, text.split('\n')[line - 1]!.indexOf(mark) + 1)
  const has = (scopes: readonly string[], scope: string): void =>
    assert.ok(scopes.includes(scope), `${scope} in ${scopes}`)
  has(at(1, 'location'), 'keyword.control.location.nginx')
  has(at(1, 'return'), 'keyword.other.directive.nginx')
  has(at(1, '# no comment'), 'string.quoted.double.nginx')
  has(at(1, '# a comment'), 'comment.line.number-sign.nginx')
  has(at(2, 'map'), 'keyword.control.table.nginx')
  has(at(2, '~^/b'), 'string.regexp.nginx')
  has(at(2, '# u'), 'string.quoted.single.nginx')
  has(at(3, 'if'), 'keyword.control.if.nginx')
  has(at(3, '= POST'), 'keyword.operator.nginx')
  has(at(3, '10m'), 'constant.numeric.nginx')
  has(at(4, 'rewrite'), 'keyword.other.directive.nginx')
  has(at(4, '$1'), 'variable.other.nginx')
  has(at(4, 'last'), 'constant.language.nginx')
})
