/** CGI programs of the real world: git over fcgiwrap, Django under uWSGI, a server of Perl's SCGI. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startViaduct } from '../harness/server.ts'
import { BackEnd } from './back-ends.ts'

const run = promisify(execFile)

test('git clones and pushes over git-http-backend', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-git-'))
  using stack = new DisposableStack()
  stack.defer(() => fs.rmSync(folder, { recursive: true, force: true }))
  const env = { ...process.env, HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' }
  const git = (...args: readonly string[]) => run('git', args, { env, cwd: folder })
  await git('config', '--global', 'user.email', 'a@b.test')
  await git('config', '--global', 'user.name', 'A')
  await git('config', '--global', 'init.defaultBranch', 'main')
  await git('config', '--global', 'safe.directory', '*')
  await git('init', '--bare', 'repos/project.git')
  await git('-C', 'repos/project.git', 'config', 'http.receivepack', 'true')

  await using wrap = await BackEnd.fcgiwrap()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%; client_max_body_size 0;
    location ~ ^/git(/.*) {
      fastcgi_pass 127.0.0.1:${wrap.port};
      fastcgi_request_buffering off;
      include fastcgi_params;
      fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
      fastcgi_param GIT_HTTP_EXPORT_ALL "";
      fastcgi_param GIT_PROJECT_ROOT ${folder}/repos;
      fastcgi_param HOME ${folder};
      fastcgi_param PATH_INFO $1;
      fastcgi_param REMOTE_USER tester;
    } } }`)
  const url = server.url('/git/project.git')
  await git('clone', url, 'first')
  // More than git's http.postBuffer, so that the push is chunked.
  fs.writeFileSync(`${folder}/first/large.bin`, randomBytes(5_000_000))
  fs.writeFileSync(`${folder}/first/readme`, 'hello\n')
  await git('-C', 'first', 'add', '.')
  await git('-C', 'first', 'commit', '-m', 'one')
  await git('-C', 'first', 'push', 'origin', 'HEAD:main')
  await git('clone', '-b', 'main', url, 'second')
  const large = (name: string) =>
    createHash('sha256')
      .update(fs.readFileSync(`${folder}/${name}/large.bin`))
      .digest('hex')
  assert.equal(large('second'), large('first'))
  fs.writeFileSync(`${folder}/second/readme`, 'hello again\n')
  await git('-C', 'second', 'commit', '-am', 'two')
  await git('-C', 'second', 'push')
  await git('-C', 'first', 'pull', '--ff-only', 'origin', 'main')
  assert.equal(fs.readFileSync(`${folder}/first/readme`, 'utf8'), 'hello again\n')
  assert.doesNotMatch(server.errorLog(), /\[error\]/)
})

test('Django under uWSGI', async () => {
  await using app = await BackEnd.uwsgi()
  await using server = await startViaduct(`http { client_max_body_size 60m; large_client_header_buffers 4 16k;
    upstream django { server 127.0.0.1:${app.port}; }
    server { listen 127.0.0.1:%%PORT_0%%; http2 on;
      location / { uwsgi_pass django; include uwsgi_params; }
      location /unbuffered/ { rewrite ^/unbuffered(/.*) $1 break; uwsgi_request_buffering off; uwsgi_buffering off;
        uwsgi_pass django; include uwsgi_params; uwsgi_param PATH_INFO $uri; } } }`)
  const about = (await (await fetch(server.url('/about/a%20b/?q=1'))).json()) as Record<string, unknown>
  assert.deepEqual(about, {
    method: 'GET',
    url: `${server.url('/about/a%20b/?q=1')}`,
    CONTENT_LENGTH: '',
    CONTENT_TYPE: '',
    QUERY_STRING: 'q=1',
    PATH_INFO: '/about/a b/',
    REMOTE_ADDR: '127.0.0.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    HTTP_HOST: `127.0.0.1:${server.port()}`,
  })
  const bytes = Buffer.alloc(20_000_000, 'twenty megabytes ')
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  for (const target of ['/upload', '/unbuffered/upload']) {
    const form = new FormData()
    form.set('file', new Blob([bytes]), 'large.bin')
    const answer = await (await fetch(server.url(target), { method: 'POST', body: form })).json()
    assert.deepEqual(answer, { size: bytes.length, sha256 }, target)
  }
  const first = await fetch(server.url('/visits'))
  const cookie = first.headers.get('set-cookie')!.split(';')[0]!
  assert.equal(await first.text(), '1')
  assert.equal(await (await fetch(server.url('/visits'), { headers: { cookie } })).text(), '2')
  assert.equal(await (await fetch(server.url('/stream'))).text(), [0, 1, 2, 3, 4].map((n) => `line ${n}\n`).join(''))
  assert.equal((await fetch(server.url('/none'))).status, 404)
  const large = await fetch(server.url('/about/x'), { headers: { 'X-Large': 'x'.repeat(6000) } })
  assert.equal(large.status, 502)
  await server.logged(/uWSGI takes 4096 unless its "buffer-size" says more/)
})

test("a server of Perl's SCGI", async () => {
  await using app = await BackEnd.scgi()
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { scgi_pass 127.0.0.1:${app.port}; include scgi_params; } } }`)
  const response = await fetch(server.url('/status/404?a=b'), { method: 'POST', body: 'x'.repeat(200_000) })
  assert.deepEqual([response.status, response.statusText], [404, 'Said'])
  const text = await response.text()
  for (const line of [
    'CONTENT_LENGTH=200000',
    'SCGI=1',
    'QUERY_STRING=a=b',
    'REQUEST_METHOD=POST',
    'body=200000 xxxxxxxxxx',
  ]) {
    assert.ok(text.split('\n').includes(line), `${line} in\n${text}`)
  }
})
