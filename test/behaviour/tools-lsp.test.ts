/** `viaduct lsp`, spoken to as editors do. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as protocol from 'vscode-languageserver/node'
import { until } from '../harness/wait.ts'
import { Workshop } from '../tools/console.ts'

const VIADUCT = fileURLToPath(new URL('../../bin/viaduct', import.meta.url))

const MAIN = `worker_processes auto;
events {}
http {
    server_tokens off;
    proxy_read_timeout 5m;
    log_format short '$remote_addr $status';
    limit_req_zone $binary_remote_addr zone=perip:1m rate=5r/s;
    limit_req_status 429;
    map $http_upgrade $connection_upgrade {
        default upgrade;
        '' '';
    }
    include conf.d/*.conf;
}
`
const SITE = `upstream app {
    server 127.0.0.1:8000;
}
server {
    listen 80;
    access_log /dev/null short;
    location /files {
        alias /data/;
    }
    location / {
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        limit_req zone=perip;
        proxy_pass http://app;
        error_page 502 @down;
    }
    location @down { return 503; }
}
`

/** An editor with the folder open. */
class Editor implements AsyncDisposable {
  readonly shop = new Workshop({ 'nginx.conf': MAIN, 'conf.d/site.conf': SITE })
  readonly #child: ChildProcess
  readonly connection: protocol.ProtocolConnection
  readonly diagnostics = new Map<string, protocol.Diagnostic[]>()
  readonly #texts = new Map<string, string>()

  constructor() {
    this.#child = spawn(VIADUCT, ['lsp', '--stdio'], { cwd: this.shop.dir, stdio: ['pipe', 'pipe', 'inherit'] })
    this.connection = protocol.createProtocolConnection(
      new protocol.StreamMessageReader(this.#child.stdout!),
      new protocol.StreamMessageWriter(this.#child.stdin!),
    )
    this.connection.onNotification(protocol.PublishDiagnosticsNotification.type, ({ uri, diagnostics }) => {
      this.diagnostics.set(this.name(uri), diagnostics)
    })
    this.connection.listen()
  }

  static async start(): Promise<Editor> {
    const editor = new Editor()
    const folder = { uri: pathToFileURL(editor.shop.dir).href, name: 'x' }
    const about = { processId: null, rootUri: folder.uri, capabilities: {}, workspaceFolders: [folder] }
    await editor.connection.sendRequest(protocol.InitializeRequest.type, about)
    await editor.connection.sendNotification(protocol.InitializedNotification.type, {})
    return editor
  }

  uri(name: string): string {
    return pathToFileURL(`${this.shop.dir}/${name}`).href
  }

  name(uri: string): string {
    return fileURLToPath(uri).slice(this.shop.dir.length + 1)
  }

  async open(name: string, text = this.shop.read(name)): Promise<void> {
    const isOpen = this.#texts.has(name)
    this.#texts.set(name, text)
    const document = { uri: this.uri(name), version: 2 }
    if (isOpen)
      await this.connection.sendNotification(protocol.DidChangeTextDocumentNotification.type, {
        textDocument: document,
        contentChanges: [{ text }],
      })
    else
      await this.connection.sendNotification(protocol.DidOpenTextDocumentNotification.type, {
        textDocument: { ...document, languageId: 'nginx', text },
      })
  }

  /** Where `mark` stands in a file; `|` in it is the cursor. */
  at(name: string, mark: string): protocol.TextDocumentPositionParams {
    const text = this.#texts.get(name) ?? this.shop.read(name)
    const index = text.indexOf(mark.replace('|', ''))
    assert.ok(index >= 0, mark)
    const before = text.slice(0, index + mark.indexOf('|')).split('\n')
    return {
      textDocument: { uri: this.uri(name) },
      position: { line: before.length - 1, character: before.at(-1)!.length },
    }
  }

  async labels(name: string, mark: string): Promise<string[]> {
    const found = await this.connection.sendRequest(protocol.CompletionRequest.type, this.at(name, mark))
    return ((found ?? []) as protocol.CompletionItem[]).map(({ label }) => label)
  }

  async hover(name: string, mark: string): Promise<string> {
    const found = await this.connection.sendRequest(protocol.HoverRequest.type, this.at(name, mark))
    return found === null ? '' : (found.contents as protocol.MarkupContent).value
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.sendRequest(protocol.ShutdownRequest.type)
    await this.connection.sendNotification(protocol.ExitNotification.type)
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
    assert.equal(this.#child.exitCode, 0)
    this.connection.dispose()
    this.shop[Symbol.dispose]()
  }
}

function places(
  list: readonly protocol.Location[] | protocol.Definition | protocol.LocationLink[] | null,
  editor: Editor,
): string[] {
  return ((list ?? []) as protocol.Location[]).map(
    ({ uri, range }) => `${editor.name(uri)}:${range.start.line + 1}:${range.start.character + 1}`,
  )
}

test('diagnostics of the whole configuration, and again when it changes', async () => {
  await using editor = await Editor.start()
  await editor.open('conf.d/site.conf')
  await until('diagnostics', () => editor.diagnostics.has('conf.d/site.conf'))
  const codes = (): unknown[] =>
    editor.diagnostics
      .get('conf.d/site.conf')!
      .filter(({ severity }) => severity! < 4)
      .map(({ code, range }) => `${code}:${range.start.line + 1}`)
  assert.deepEqual(codes(), ['alias_traversal:7'])
  await editor.open(
    'conf.d/site.conf',
    SITE.replace('/files {', '/files/ {').replace('$connection_upgrade', '$conection_upgrade'),
  )
  await until('other diagnostics', () => !codes().includes('alias_traversal:7'))
  assert.deepEqual(codes(), ['configuration_error:12'])
})

test('completion knows the block, the directive and the names', async () => {
  await using editor = await Editor.start()
  await editor.open('conf.d/site.conf')
  assert.ok((await editor.labels('conf.d/site.conf', 'upstream app {|')).includes('least_conn'))
  const complete = async (inside: string): Promise<string[]> => {
    await editor.open('conf.d/site.conf', SITE.replace('error_page 502 @down;', `${inside.replace('|', '')}`))
    return editor.labels('conf.d/site.conf', inside)
  }
  const directives = await complete('pro|')
  assert.ok(directives.includes('proxy_pass') && directives.includes('try_files'))
  assert.ok(!directives.includes('worker_processes') && !directives.includes('upstream'))
  assert.ok((await complete('proxy_set_header X $conn|')).includes('$connection_upgrade'))
  assert.ok((await complete('proxy_set_header X $remote|')).includes('$remote_addr'))
  assert.ok((await complete('proxy_pass http://|')).includes('http://app'))
  assert.ok((await complete('limit_req |')).includes('zone=perip'))
  assert.ok((await complete('try_files $uri |')).includes('@down'))
  assert.ok((await complete('access_log /x |')).includes('short'))
  assert.deepEqual(await complete('proxy_buffering |'), ['on', 'off'])
  assert.deepEqual(await complete('# pro|'), [])
})

test('hover has the declaration, what is inherited and from where', async () => {
  await using editor = await Editor.start()
  await editor.open(
    'conf.d/site.conf',
    SITE.replace('proxy_pass http', 'proxy_read_timeout 1h;\n        proxy_pass http'),
  )
  const timeout = await editor.hover('conf.d/site.conf', 'proxy_read|_timeout')
  assert.match(timeout, /```nginx\nproxy_read_timeout time;\n```/)
  assert.match(timeout, /Default: `60s`/)
  assert.match(timeout, /The longest silence of a back end/)
  assert.match(timeout, /docs\/reference\/http_proxy\.md#proxy_read_timeout/)
  assert.match(timeout, /Without it, here: `proxy_read_timeout 5m` \(nginx\.conf:5\)/)
  assert.match(
    await editor.hover('conf.d/site.conf', 'loc|ation / {'),
    /Inherited:\n\n- `access_log \/dev\/null short` \(site\.conf:6\)[\s\S]*- `proxy_read_timeout 5m`|Inherited:/,
  )
  assert.match(
    await editor.hover('conf.d/site.conf', 'http://a|pp'),
    /Upstream `app`, used once:\n\n- `upstream app` \(site\.conf:1\)\n {2}- `server 127/,
  )
  assert.match(
    await editor.hover('conf.d/site.conf', '$connection_up|grade'),
    /Variable `connection_upgrade`.*\n\n- `map \$http_upgrade \$connection_upgrade` \(nginx\.conf:9\)/,
  )
  assert.match(await editor.hover('conf.d/site.conf', '$http_up|grade'), /of the module/)
})

test('definition, references and renaming go through the files', async () => {
  await using editor = await Editor.start()
  await editor.open('conf.d/site.conf')
  const define = async (name: string, mark: string): Promise<string[]> =>
    places(await editor.connection.sendRequest(protocol.DefinitionRequest.type, editor.at(name, mark)), editor)
  assert.deepEqual(await define('conf.d/site.conf', 'http://ap|p'), ['conf.d/site.conf:1:10'])
  assert.deepEqual(await define('conf.d/site.conf', '502 @do|wn'), ['conf.d/site.conf:17:14'])
  assert.deepEqual(await define('conf.d/site.conf', 'zone=per|ip'), ['nginx.conf:7:45'])
  assert.deepEqual(await define('conf.d/site.conf', 'null sho|rt'), ['nginx.conf:6:16'])
  assert.deepEqual(await define('conf.d/site.conf', '$connection_|upgrade'), ['nginx.conf:9:24'])
  assert.deepEqual(await define('nginx.conf', 'include con|f.d'), ['conf.d/site.conf:1:1'])
  const references = await editor.connection.sendRequest(protocol.ReferencesRequest.type, {
    ...editor.at('nginx.conf', '$connection_|upgrade'),
    context: { includeDeclaration: true },
  })
  assert.deepEqual(places(references, editor).sort(), ['conf.d/site.conf:12:38', 'nginx.conf:9:24'])
  const renamed = await editor.connection.sendRequest(protocol.RenameRequest.type, {
    ...editor.at('nginx.conf', '$connection_|upgrade'),
    newName: '$upgrading',
  })
  assert.deepEqual(
    Object.keys(renamed!.changes!)
      .map((uri) => editor.name(uri))
      .sort(),
    ['conf.d/site.conf', 'nginx.conf'],
  )
  assert.deepEqual(
    Object.values(renamed!.changes!)
      .flat()
      .map(({ newText }) => newText),
    ['upgrading', 'upgrading'],
  )
  await assert.rejects(
    editor.connection.sendRequest(protocol.RenameRequest.type, {
      ...editor.at('nginx.conf', '$connection_|upgrade'),
      newName: 'a b',
    }),
    /is no name for a variable/,
  )
  assert.equal(
    await editor.connection.sendRequest(
      protocol.PrepareRenameRequest.type,
      editor.at('conf.d/site.conf', '$http_|upgrade'),
    ),
    null,
  )
})

test('layout, of all and of a part', async () => {
  await using editor = await Editor.start()
  await editor.open('nginx.conf', 'events {}\nhttp {\n  a  1;\n  b  2;\n}\n')
  const options = { tabSize: 4, insertSpaces: true }
  const textDocument = { uri: editor.uri('nginx.conf') }
  const [edit] = (await editor.connection.sendRequest(protocol.DocumentFormattingRequest.type, {
    textDocument,
    options,
  }))!
  assert.equal(edit!.newText, 'events {}\nhttp {\n    a 1;\n    b 2;\n}\n')
  const range = { start: { line: 3, character: 0 }, end: { line: 3, character: 5 } }
  const [part] = (await editor.connection.sendRequest(protocol.DocumentRangeFormattingRequest.type, {
    textDocument,
    options,
    range,
  }))!
  assert.equal(part!.newText, 'events {}\nhttp {\n  a  1;\n    b 2;\n}\n')
})

test('code actions mend, correct and allow', async () => {
  await using editor = await Editor.start()
  await editor.open('conf.d/site.conf', SITE.replace('listen', 'lisen'))
  const actions = async (line: number): Promise<protocol.CodeAction[]> => {
    const range = { start: { line, character: 0 }, end: { line, character: 1 } }
    const request = { textDocument: { uri: editor.uri('conf.d/site.conf') }, range, context: { diagnostics: [] } }
    return (await editor.connection.sendRequest(protocol.CodeActionRequest.type, request)) as protocol.CodeAction[]
  }
  assert.deepEqual(
    (await actions(4)).map(({ title }) => title),
    ['Replace it by "listen"'],
  )
  const found = await actions(6)
  assert.deepEqual(
    found.map(({ title }) => title),
    ['End the location with a slash', 'Allow alias_traversal here'],
  )
  assert.deepEqual(Object.values(found[0]!.edit!.changes!).flat(), [
    { newText: '/files/', range: { start: { line: 6, character: 13 }, end: { line: 6, character: 19 } } },
  ])
  assert.equal(Object.values(found[1]!.edit!.changes!).flat()[0]!.newText, '    # lint: allow alias_traversal\n')
})

test('a location is explained', async () => {
  await using editor = await Editor.start()
  await editor.open('conf.d/site.conf')
  const told: string[] = []
  editor.connection.onRequest(protocol.ShowMessageRequest.type, ({ message }) => {
    told.push(message)
    return null
  })
  editor.connection.onNotification(protocol.ShowMessageNotification.type, ({ message }) => void told.push(message))
  const { position } = editor.at('conf.d/site.conf', 'location / |{')
  const request = {
    textDocument: { uri: editor.uri('conf.d/site.conf') },
    range: { start: position, end: position },
    context: { diagnostics: [] },
  }
  const actions = (await editor.connection.sendRequest(
    protocol.CodeActionRequest.type,
    request,
  )) as protocol.CodeAction[]
  const action = actions.find(({ title }) => title === 'Explain http://localhost/')
  assert.ok(action?.command, JSON.stringify(actions))
  const text = await editor.connection.sendRequest(protocol.ExecuteCommandRequest.type, action.command)
  assert.match(text, /^GET http:\/\/localhost\/ => /)
  assert.match(text, /location +\/ /)
  assert.match(text, /127\.0\.0\.1:8000|app/)
  await until('the message', () => told.length > 0)
  assert.equal(told[0], text.trim().split('\n').slice(0, 3).join('\n'))
})

test('the outline has the blocks', async () => {
  await using editor = await Editor.start()
  await editor.open('conf.d/site.conf')
  const symbols = (await editor.connection.sendRequest(protocol.DocumentSymbolRequest.type, {
    textDocument: { uri: editor.uri('conf.d/site.conf') },
  })) as protocol.DocumentSymbol[]
  assert.deepEqual(
    symbols.map(({ name }) => name),
    ['upstream app', 'server'],
  )
  assert.deepEqual(
    symbols[1]!.children!.map(({ name }) => name),
    ['location /files', 'location /', 'location @down'],
  )
})

test('texts that are half written are no reason to stop', async () => {
  await using editor = await Editor.start()
  for (let cut = 0; cut <= SITE.length; cut += 7) {
    await editor.open('conf.d/site.conf', SITE.slice(0, cut))
    await editor.connection.sendRequest(protocol.CompletionRequest.type, {
      textDocument: { uri: editor.uri('conf.d/site.conf') },
      position: { line: 6, character: 4 },
    })
  }
  await editor.open('conf.d/site.conf')
  assert.match(await editor.hover('conf.d/site.conf', 'li|sten 80'), /listen address/)
})

test('neovim, headless', async (t) => {
  if (spawnSync('nvim', ['--version']).error !== undefined) return t.skip('no neovim here')
  using shop = new Workshop({ 'nginx.conf': MAIN, 'conf.d/site.conf': SITE })
  const script = `
    local id = vim.lsp.start_client({ name = 'viaduct', cmd = { '${VIADUCT}', 'lsp' }, root_dir = '${shop.dir}' })
    vim.lsp.buf_attach_client(0, id)
    vim.wait(20000, function() return #vim.diagnostic.get(0) > 0 end, 50)
    local codes = {}
    for _, one in ipairs(vim.diagnostic.get(0)) do table.insert(codes, one.code .. ':' .. (one.lnum + 1)) end
    table.sort(codes)
    local at = { textDocument = vim.lsp.util.make_text_document_params(), position = { line = 13, character = 29 } }
    local answers = vim.lsp.buf_request_sync(0, 'textDocument/definition', at, 20000) or {}
    for _, answer in pairs(answers) do
      for _, place in ipairs(answer.result or {}) do table.insert(codes, 'defined:' .. (place.range.start.line + 1)) end
    end
    vim.fn.writefile(codes, '${shop.dir}/out')
    vim.cmd('qa!')`
  shop.write('script.lua', script)
  const child = spawn(
    'nvim',
    ['--headless', '--clean', `${shop.dir}/conf.d/site.conf`, '-c', `luafile ${shop.dir}/script.lua`],
    { stdio: 'ignore' },
  )
  t.after(() => child.kill())
  await until('neovim is done', () => fs.existsSync(`${shop.dir}/out`))
  const lines = shop.read('out').split('\n')
  assert.ok(lines.includes('alias_traversal:7'), lines.join(' '))
  assert.ok(lines.includes('defined:1'), lines.join(' '))
})
