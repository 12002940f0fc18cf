/** WebDAV: what becomes of files, which statuses tell it, and what is refused. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { connect } from 'node:http2'
import { test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  client_body_buffer_size 1k;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    root %%DIR%%/files;
    absolute_redirect off;
    dav_methods PUT DELETE MKCOL COPY MOVE;
    client_body_temp_path %%DIR%%/temp;
    location /full/ { create_full_put_path on; dav_access group:rw all:r; }
    location /deep/ { min_delete_depth 3; }
    location /alias/ { alias %%DIR%%/files/; }
    location /copied/ { mirror /mirror; }
    location /mirror { return 204; }
    location /off/ { dav_methods off; }
    location /shm/ { alias %%DIR%%/shm/; }
    location /small/ { client_max_body_size 10; }
  }
}`
const BIG = 'x'.repeat(200_000)

interface Options {
  readonly body?: string
  readonly fields?: Readonly<Record<string, string>>
}

/** Sends a request; answers with its status and where it says that something is. */
async function ask(server: Server, method: string, path: string, { body, fields = {} }: Options = {}) {
  const text = Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
  const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`
  const request = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${length}${text}\r\n${body ?? ''}`
  const answer = await server.raw(request)
  return { status: Number(answer.slice(9, 12)), location: /^Location: (.*?)\r$/m.exec(answer)?.[1], answer }
}

const start = () =>
  startViaduct(CONF, {
    prepare: (dir) => {
      for (const name of ['files/full', 'files/deep/a/b', 'files/copied', 'files/off', 'files/small']) {
        fs.mkdirSync(`${dir}/${name}`, { recursive: true })
      }
      // Workers of a server started by root run as nobody.
      for (const name of fs.readdirSync(`${dir}/files`)) fs.chmodSync(`${dir}/files/${name}`, 0o777)
      for (const name of ['files', 'files/deep/a', 'files/deep/a/b']) fs.chmodSync(`${dir}/${name}`, 0o777)
    },
  })

/** The path of a file that the server serves. */
const on = (server: Server, name: string) => server.prefix.path(`files/${name}`)
const read = (server: Server, name: string) => fs.readFileSync(on(server, name), 'latin1')
const mode = (server: Server, name: string) => fs.statSync(on(server, name)).mode & 0o777
const umask = process.umask()

test('PUT stores bodies of any length, and tells whether the file is new', async () => {
  await using server = await start()
  for (const body of ['', 'short', BIG]) {
    const name = `put-${body.length}`
    const made = await ask(server, 'PUT', `/${name}%20x`, { body })
    assert.equal(made.status, 201)
    assert.equal(made.location, `/${name}%20x`)
    assert.match(made.answer, /Content-Length: 0\r\n/)
    assert.equal(read(server, `${name} x`), body)
    assert.equal(mode(server, `${name} x`), 0o600)
    const again = await ask(server, 'PUT', `/${name}%20x`, { body: 'again' })
    assert.equal(again.status, 204)
    assert.doesNotMatch(again.answer, /Content-Length|Location/)
    assert.equal(read(server, `${name} x`), 'again')
  }
  assert.equal((await ask(server, 'PUT', '/without-length')).status, 201)
  assert.equal(read(server, 'without-length'), '')
  const dated = { body: 'x', fields: { Date: 'Sun, 06 Nov 1994 08:49:37 GMT' } }
  assert.equal((await ask(server, 'PUT', '/dated', dated)).status, 201)
  assert.equal(fs.statSync(on(server, 'dated')).mtimeMs, 784111777000)
  assert.equal((await ask(server, 'PUT', '/bad-date', { body: 'x', fields: { Date: 'today' } })).status, 201)
  assert.deepEqual(fs.readdirSync(server.prefix.path('temp')), [])
})

test('PUT makes folders and sets permissions as it is told', async () => {
  await using server = await start()
  assert.equal((await ask(server, 'PUT', '/full/a/b/c', { body: 'x' })).status, 201)
  assert.equal(mode(server, 'full/a/b/c'), 0o664)
  assert.equal(mode(server, 'full/a'), 0o775 & ~umask)
  assert.equal((await ask(server, 'PUT', '/not/there', { body: 'x' })).status, 500)
  assert.equal((await ask(server, 'PUT', '/alias/aliased', { body: 'x' })).location, '/alias/aliased')
  assert.equal(read(server, 'aliased'), 'x')
  for (const body of ['x', BIG]) {
    assert.equal((await ask(server, 'PUT', '/copied/file', { body })).status, body === 'x' ? 201 : 204)
    assert.equal(read(server, 'copied/file'), body)
  }
  const made = await ask(server, 'MKCOL', '/full/new%20one/')
  assert.equal(made.status, 201)
  assert.equal(made.location, '/full/new%20one/')
  assert.match(made.answer, /Content-Length: 0\r\n/)
  assert.equal(mode(server, 'full/new one'), 0o775 & ~umask)
  assert.deepEqual(fs.readdirSync(server.prefix.path('temp')), [])
})

test('what PUT, MKCOL and DELETE refuse', async () => {
  await using server = await start()
  fs.writeFileSync(on(server, 'file'), 'x')
  fs.mkdirSync(on(server, 'folder/inner'), { recursive: true })
  const body = 'body'
  const cases: readonly [string, string, Options, number][] = [
    ['PUT', '/folder/', { body }, 409],
    ['PUT', '/folder', { body }, 409],
    ['PUT', '/x', { body, fields: { 'Content-Range': 'bytes 0-3/4' } }, 501],
    ['PUT', '/off/x', { body }, 405],
    ['PUT', '/small/x', { body: 'more than ten bytes' }, 413],
    ['MKCOL', '/x', {}, 409],
    ['MKCOL', '/x/', { body }, 415],
    ['MKCOL', '/folder/', {}, 405],
    ['MKCOL', '/not/there/', {}, 409],
    ['DELETE', '/file', { body }, 415],
    ['DELETE', '/none', {}, 404],
    ['DELETE', '/file/', {}, 409],
    ['DELETE', '/file/x', {}, 409],
    ['DELETE', '/folder', {}, 409],
    ['DELETE', '/folder/', { fields: { Depth: '0' } }, 400],
    ['DELETE', '/folder/', { fields: { Depth: 'any' } }, 400],
    ['DELETE', '/file', { fields: { Depth: '1' } }, 400],
    ['DELETE', '/deep/a', {}, 409],
    ['DELETE', '/deep/a/', {}, 409],
  ]
  for (const [method, path, options, status] of cases) {
    assert.equal((await ask(server, method, path, options)).status, status, `${method} ${path}`)
  }
  assert.equal(read(server, 'file'), 'x')
  for (const text of ['cannot PUT to a collection', 'insufficient URI depth:2 to DELETE', '(20: Not a directory)']) {
    assert.ok(server.errorLog().includes(text), text)
  }
})

test('DELETE removes files, links and whole folders', async () => {
  await using server = await start()
  fs.writeFileSync(on(server, 'file'), 'x')
  fs.mkdirSync(on(server, 'folder/a/b'), { recursive: true })
  fs.writeFileSync(on(server, 'folder/a/one'), 'x')
  fs.symlinkSync(on(server, 'file'), on(server, 'folder/a/link'))
  fs.symlinkSync('nowhere', on(server, 'folder/a/broken'))
  for (const name of ['folder', 'folder/a', 'folder/a/b']) fs.chmodSync(on(server, name), 0o777)
  assert.equal((await ask(server, 'DELETE', '/folder/', { fields: { Depth: 'infinity' } })).status, 204)
  assert.ok(!fs.existsSync(on(server, 'folder')))
  assert.equal((await ask(server, 'DELETE', '/file', { body: '', fields: { Depth: '0' } })).status, 204)
  assert.ok(!fs.existsSync(on(server, 'file')))
  assert.equal((await ask(server, 'DELETE', '/deep/a/b/')).status, 204)
})

test('COPY and MOVE of files', async () => {
  await using server = await start()
  fs.writeFileSync(on(server, 'file'), 'content', { mode: 0o644 })
  fs.utimesSync(on(server, 'file'), 1e9, 1e9)
  const to = (Destination: string, more: Record<string, string> = {}) => ({ fields: { Destination, ...more } })
  const cases: readonly [string, string, Options, number][] = [
    ['COPY', '/file', to('/copy%20one'), 204],
    ['COPY', '/file', to(`http://localhost:${server.port()}/two`), 204],
    ['COPY', '/file', to('http://LOCALHOST/three?args'), 204],
    ['COPY', '/file', to('/three', { Overwrite: 't', Depth: '0' }), 204],
    ['COPY', '/file', to('/three', { Overwrite: 'F' }), 412],
    ['COPY', '/file', to('/three', { Overwrite: 'yes' }), 400],
    ['COPY', '/file', to('/three', { Depth: '1' }), 400],
    ['COPY', '/file', {}, 400],
    ['COPY', '/file', to(''), 400],
    ['COPY', '/file', to('https://localhost/x'), 400],
    ['COPY', '/file', to('http://elsewhere/x'), 400],
    ['COPY', '/file', to('http://localhost.elsewhere/x'), 400],
    ['COPY', '/file', to('http://localhost'), 400],
    ['COPY', '/file', to('/../x'), 400],
    ['COPY', '/file', to('/%2e%2e/x'), 400],
    ['COPY', '/file', to('/x/'), 409],
    ['COPY', '/file', to('/full'), 409],
    ['COPY', '/file', to('//file'), 403],
    ['COPY', '/none', to('/x'), 404],
    ['COPY', '/file', to('/not/there'), 500],
    ['COPY', '/file', { ...to('/x'), body: 'x' }, 415],
    ['COPY', '/alias/file', to('/a'), 400],
    ['COPY', '/alias/file', to('/alias/four'), 204],
    ['MOVE', '/file', to('/x', { Depth: '0' }), 400],
    ['MOVE', '/none', to('/x'), 404],
    ['MOVE', '/two', to('/not/there'), 204],
  ]
  for (const [method, path, options, status] of cases) {
    const asked = await ask(server, method, path, options)
    assert.equal(asked.status, status, `${method} ${path} ${JSON.stringify(options)}\n${server.errorLog().slice(-500)}`)
  }
  for (const name of ['copy one', 'three', 'four', 'not/there', 'file']) {
    assert.equal(read(server, name), 'content')
    assert.equal(fs.statSync(on(server, name)).mtimeMs, 1e12)
  }
  assert.ok(!fs.existsSync(on(server, 'two')))
  assert.match(server.errorLog(), /\[crit\] .* open\(\) "[^"]+\/not\/there" failed \(2: No such file or directory\)/)
})

test('COPY and MOVE of folders', async () => {
  await using server = await start()
  fs.mkdirSync(on(server, 'from/inner'), { recursive: true })
  fs.writeFileSync(on(server, 'from/one'), '1')
  fs.writeFileSync(on(server, 'from/inner/two'), '2')
  fs.mkdirSync(on(server, 'old/rest'), { recursive: true })
  for (const name of ['from', 'from/inner', 'old', 'old/rest']) fs.chmodSync(on(server, name), 0o777)
  fs.utimesSync(on(server, 'from/inner'), 1e9, 1e9)
  const go = async (method: string, path: string, Destination: string, more: Record<string, string> = {}) =>
    (await ask(server, method, path, { fields: { Destination, ...more } })).status
  assert.equal(await go('COPY', '/from/', '/copy/'), 201)
  assert.equal(read(server, 'copy/inner/two'), '2')
  assert.equal(fs.statSync(on(server, 'copy/inner')).mtimeMs, 1e12)
  assert.equal(await go('COPY', '/from/', '/old/', { Overwrite: 'F' }), 412)
  assert.equal(await go('COPY', '/from/', '/old/'), 201)
  assert.ok(!fs.existsSync(on(server, 'old/rest')))
  assert.equal(await go('COPY', '/from/', '/from/inner/x/'), 403)
  assert.equal(await go('MOVE', '/from/inner/', '/from/'), 403)
  assert.equal(await go('COPY', '/from/', '/from/'), 403)
  assert.equal(await go('COPY', '/from/', '/not/there/'), 404)
  assert.equal(await go('COPY', '/from/', '/x'), 409)
  assert.equal(await go('COPY', '/from', '/x'), 400)
  assert.equal(await go('MOVE', '/from/', '/old/'), 201)
  assert.equal(read(server, 'old/one'), '1')
  assert.ok(!fs.existsSync(on(server, 'from')))
})

test('files go to other file systems', { skip: !fs.existsSync('/dev/shm') }, async () => {
  const shm = fs.mkdtempSync('/dev/shm/viaduct-test-')
  fs.chmodSync(shm, 0o777)
  try {
    const conf = CONF.replace('%%DIR%%/shm/', `${shm}/`).replace('location /full/', `location /in/ { } location /full/`)
    await using server = await startViaduct(conf, {
      prepare: (dir) => {
        fs.mkdirSync(`${dir}/files`)
        fs.chmodSync(`${dir}/files`, 0o777)
        fs.symlinkSync(shm, `${dir}/files/in`)
      },
    })
    const body = BIG
    assert.equal((await ask(server, 'PUT', '/shm/file', { body })).status, 201)
    assert.equal(fs.readFileSync(`${shm}/file`, 'latin1'), BIG)
    assert.equal((await ask(server, 'PUT', '/shm/file', { body: 'x' })).status, 204)
    assert.equal((await ask(server, 'MKCOL', '/from/')).status, 201)
    assert.equal((await ask(server, 'PUT', '/from/one', { body: '1' })).status, 201)
    assert.equal((await ask(server, 'MOVE', '/from/', { fields: { Destination: '/in/folder/' } })).status, 201)
    assert.equal((await ask(server, 'MOVE', '/in/folder/one', { fields: { Destination: '/one' } })).status, 204)
    assert.equal(read(server, 'one'), '1')
    assert.deepEqual(fs.readdirSync(shm, { recursive: true }).sort(), ['file', 'folder'])
    assert.deepEqual(fs.readdirSync(server.prefix.path('temp')), [])
  } finally {
    fs.rmSync(shm, { recursive: true })
  }
})

test('a client that asks before it sends is told to go on, or not to', async () => {
  await using server = await start()
  for (const [path, expected] of [
    ['/expected', /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 201 /],
    ['/deep/', /^HTTP\/1.1 409 /],
    ['/small/x', /^HTTP\/1.1 413 /],
  ] as const) {
    const client = await server.connect()
    client.write(`PUT ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 11\r\n`)
    client.write('Expect: 100-continue\r\n\r\n')
    await client.until(/^HTTP\/1.1 /)
    if (path === '/expected') client.write('12345678901')
    assert.match(await client.rest(), expected)
  }
  assert.equal(read(server, 'expected'), '12345678901')
})

test('HTTP/2 and chunked bodies are stored alike', async () => {
  await using server = await start()
  const session = connect(server.url('/'))
  for (const body of ['', 'short', BIG]) {
    const stream = session.request({ ':method': 'PUT', ':path': '/h2' })
    stream.end(body)
    const status = await new Promise((resolve, reject) => {
      stream.on('response', (fields) => resolve(fields[':status'])).on('error', reject)
    })
    assert.equal(status, body === '' ? 201 : 204)
    assert.equal(read(server, 'h2'), body)
    stream.close()
  }
  session.close()
  const chunk = `${BIG.length.toString(16)}\r\n${BIG}\r\n0\r\n\r\n`
  const head = 'PUT /chunked HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n'
  assert.match(await server.raw(head + chunk), /^HTTP\/1.1 201 /)
  assert.equal(read(server, 'chunked'), BIG)
  // An upload that breaks off leaves nothing.
  const client = await server.connect()
  client.write(head.replace('/chunked', '/broken') + chunk.slice(0, 100_000))
  client.close()
  await server.logged(/client prematurely closed connection/)
  assert.ok(!fs.existsSync(on(server, 'broken')))
  await server.until('no rest', () => fs.readdirSync(server.prefix.path('temp')).length === 0)
})
