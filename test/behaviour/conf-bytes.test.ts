/** A configuration is bytes, whatever they mean: they come out as they went in, in answers, requests, logs and names of files. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import net from 'node:net'
import { after, before, suite, test } from 'node:test'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

/** `{E}` is the bytes at hand. */
const CONF = `
error_log error{E}.log info;
http {
  log_format line{E} '$uri {E} $http_x';
  log_format text escape=none '{E}$http_x';
  access_log access{E}.log line{E}; access_log text{E}.log text; access_log %%DIR%%/open/by{E}$status.log line{E};
  map $arg_m $mapped { {E} {E}v; include map{E}*.conf; ~^r{E}+$ "re{E}"; default "d{E}"; }
  geo $arg_g $geo { default {E}; }
  split_clients $arg_m $split { * "s{E}"; }
  types { text/{E} t{E}; }
  proxy_cache_path cache{E} keys_zone=zone{E}:1m use_temp_path=off;
  client_body_temp_path body{E};
  upstream group{E} { zone group{E} 64k; server 127.0.0.1:%%PORT_1%%; }
  server {
    listen 127.0.0.1:%%PORT_1%%;
    access_log off;
    return 200 "$request_uri $http_x{E} $http_x_y";
  }
  server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name name{E};
    root www{E};
    location /return { return 200 {E}; }
    location /redirect { return 301 /{E}; }
    location /{E} { return 200 "prefix $server_name"; }
    location ~ ^/re{E}{E}$ { return 200 regex; }
    location /rewrite { rewrite ^/rewrite/{E}(.*)$ /to{E}$1?a={E} redirect; }
    location /if { if ($arg_x = {E}) { return 200 same; } return 200 other; }
    location /tables { return 200 "$mapped $geo $split"; }
    location /field { add_header X-A "a{E}" always; return 200 x; }
    location /named { error_page 404 @n{E}; return 404; }
    location @n{E} { return 200 {E}; }
    location /missing { error_page 404 /page{E}; return 404; }
    location /sub { sub_filter a{E} "A{E}"; sub_filter_types *; try_files /page{E} =404; }
    location /proxy { proxy_pass http://group{E}/p{E}; proxy_set_header X "x{E}"; proxy_set_header X-Y y{E}; proxy_set_header Host h; }
    location /cache { proxy_pass http://group{E}; proxy_set_header Host h; proxy_cache zone{E}; proxy_cache_valid 1h; add_header X-Cache $upstream_cache_status; }
    location /store { proxy_pass http://group{E}; proxy_store %%DIR%%/open/stored{E}; proxy_set_header Host h; }
    location /auth { auth_basic "r{E}"; auth_basic_user_file users{E}; try_files /page{E} =404; }
    location /plain { types { } default_type "{E}/$uri$"; try_files /page{E} =404; }
    location /type { rewrite ^ /typed.t{E} break; }
  }
}`

const KINDS: readonly (readonly [string, string])[] = [
  ['no UTF-8', '\xe9'],
  ['UTF-8', '\xc3\xa9'],
  ['UTF-8 of four bytes', '\xf0\x9f\x98\x80'],
  ['both', '\xff\xc3\xa9\xed\xa0\x80'],
]

for (const [kind, bytes] of KINDS) {
  suite(kind, () => {
    let server: Server
    const encoded = [...Buffer.from(bytes, 'latin1')].map((byte) => `%${byte.toString(16).toUpperCase()}`).join('')
    const body = async (target: string): Promise<string> => (await ask(server, target)).split('\r\n\r\n')[1]!
    const file = (name: string): string => fs.readFileSync(binaryPath(`${server.dir}/${name}`), 'latin1')

    before(async () => {
      server = await startViaduct(CONF, { prepare: (dir) => fill(dir, bytes) })
    })
    after(async () => {
      await server[Symbol.asyncDispose]()
    })

    test('texts', async () => {
      assert.equal(await body('/return'), bytes)
      assert.match(await ask(server, '/redirect'), new RegExp(`\r\nLocation: http://name:\\d+/${bytes}\r\n`))
      assert.match(await ask(server, '/field'), new RegExp(`\r\nX-A: a${bytes}\r\n`))
      assert.equal(await body('/named'), bytes)
      assert.equal(await body('/tables?m=other'), `d${bytes} ${bytes} s${bytes}`)
    })

    test('what is compared', async () => {
      assert.equal(await body(`/${encoded}`), `prefix name${bytes}`)
      assert.equal(await body(`/re${encoded}${encoded}`), 'regex')
      assert.equal(await body(`/if?x=${bytes}`), 'same')
      assert.equal(await body(`/tables?m=${bytes}`), `${bytes}v ${bytes} s${bytes}`)
      assert.equal(await body(`/tables?m=r${bytes}`), `re${bytes} ${bytes} s${bytes}`)
      assert.equal(await body('/tables?m=included'), `in${bytes} ${bytes} s${bytes}`)
      assert.match(
        await ask(server, `/rewrite/${encoded}x`),
        new RegExp(`\r\nLocation: [^\r]*/to${bytes}x\\?a=${bytes}\r\n`),
      )
    })

    test('files', async () => {
      assert.equal(await body('/missing'), `a${bytes}`)
      assert.equal(await body('/sub'), `A${bytes}`)
      assert.match(await ask(server, '/type'), new RegExp(`\r\nContent-Type: text/${bytes}\r\n`))
      assert.ok((await ask(server, '/plain')).includes(`\r\nContent-Type: ${bytes}/$uri$\r\n`))
      assert.match(await ask(server, '/auth'), new RegExp(`\r\nWWW-Authenticate: Basic realm="r${bytes}"\r\n`))
      const user = Buffer.from(`u${bytes}:p${bytes}`, 'latin1').toString('base64')
      assert.match(await ask(server, '/auth', [`Authorization: Basic ${user}`]), /^HTTP\/1.1 200/)
    })

    test('back ends', async () => {
      assert.equal(await body('/proxy/x'), `/p${bytes}/x x${bytes}${bytes} y${bytes}`)
      assert.match(await ask(server, '/cache'), /\r\nX-Cache: MISS\r\n/)
      assert.match(await ask(server, '/cache'), /\r\nX-Cache: HIT\r\n/)
      await ask(server, '/store')
      assert.match(file(`open/stored${bytes}`), /^\/store /)
    })

    test('logs', async () => {
      await ask(server, '/return', ['X: \xfe'])
      const name = `access${bytes}.log`
      await server.until('the request is logged', () => file(name).includes('/return'))
      const escaped = bytes.replaceAll(/./gs, (byte) => `\\x${byte.charCodeAt(0).toString(16).toUpperCase()}`)
      assert.ok(file(name).includes(`/return ${bytes} \\xFE\n`), file(name))
      assert.ok(file(`open/by${bytes}200.log`).includes(`/return ${bytes} \\xFE\n`))
      assert.ok(file(`text${bytes}.log`).includes(`${bytes}\xfe\n`))
      await body(`/${encoded}none`)
      await server.until('the uri is logged', () => file(name).includes(`/${escaped}none ${bytes}`))
      await ask(server, '/nothing')
      await server.until('the error is logged', () =>
        file(`error${bytes}.log`).includes(`www${bytes}/nothing" failed (2:`),
      )
    })
  })

  test(`a socket file to listen on: ${kind}`, async () => {
    await using server = await startViaduct(
      `http { server { listen 127.0.0.1:%%PORT_0%%; listen unix:%%DIR%%/socket${bytes}; return 200 $request_uri; } }`,
      { prepare: (dir) => write(dir, 'nginx.conf', fs.readFileSync(`${dir}/nginx.conf`, 'utf8')) },
    )
    // Node's own client cannot name it.
    const link = `${server.dir}/link`
    fs.symlinkSync(binaryPath(`${server.dir}/socket${bytes}`), link)
    const socket = net.connect(link)
    socket.setEncoding('latin1').end('GET /by-socket HTTP/1.0\r\n\r\n')
    assert.match((await socket.toArray()).join(''), /\r\n\r\n\/by-socket$/)
  })

  test(`JSON has UTF-8, and U+FFFD for what is none: ${kind}`, async () => {
    await using server = await startViaduct(
      `http { upstream group${bytes} { zone z 64k; server 127.0.0.1:1; } server { listen 127.0.0.1:%%PORT_0%%; location /api/ { api; } } }`,
      { prepare: (dir) => write(dir, 'nginx.conf', fs.readFileSync(`${dir}/nginx.conf`, 'utf8')) },
    )
    const named = Buffer.from(`group${bytes}`, 'latin1').toString('utf8')
    const response = await fetch(server.url('/api/9/http/upstreams/?fields='))
    assert.deepEqual(await response.json(), [named])
  })

  test(`-T prints the files as they are: ${kind}`, async () => {
    await using prefix = await Prefix.create('pid nginx.pid; events {} http { include part*.conf; }')
    const part = `log_format f "${bytes}"; # ${bytes}\n`
    fs.writeFileSync(binaryPath(prefix.path(`part${bytes}.conf`)), part, 'latin1')
    const { stdout, stderr, code } = await prefix.run(['-T'])
    assert.equal(code, 0, stderr)
    assert.ok(stdout.endsWith(`# configuration file ${prefix.dir}/part${bytes}.conf:\n${part}\n`), stdout)
  })

  test(`messages have the bytes of the file: ${kind}`, async () => {
    await using prefix = await Prefix.create('')
    fs.writeFileSync(
      prefix.path('nginx.conf'),
      `events {} http { wrong${bytes} "${bytes}"; include no${bytes}; }`,
      'latin1',
    )
    const { stderr } = await prefix.run(['-t'])
    assert.ok(stderr.includes(`[emerg] unknown directive "wrong${bytes}" in ${prefix.dir}/nginx.conf:1\n`), stderr)
    assert.ok(
      stderr.includes(`[emerg] open() "${prefix.dir}/no${bytes}" failed (2: No such file or directory) in `),
      stderr,
    )
  })
}

function fill(dir: string, bytes: string): void {
  const put = (name: string, text: string): void =>
    write(dir, name.replaceAll('{E}', bytes), text.replaceAll('{E}', bytes))
  put('nginx.conf', fs.readFileSync(`${dir}/nginx.conf`, 'latin1'))
  fs.mkdirSync(binaryPath(`${dir}/www${bytes}`))
  // Workers are nobody where the tests are run by root.
  fs.mkdirSync(`${dir}/open`)
  fs.chmodSync(`${dir}/open`, 0o777)
  put('www{E}/page{E}', 'a{E}')
  put('www{E}/typed.t{E}', 'x')
  put('map{E}1.conf', 'included in{E};')
  put('users{E}', 'u{E}:{PLAIN}p{E}\n')
}

function write(dir: string, name: string, text: string): void {
  fs.writeFileSync(binaryPath(`${dir}/${name}`), text, 'latin1')
}

function binaryPath(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

function ask(server: Server, target: string, fields: readonly string[] = []): Promise<string> {
  const lines = [`GET ${target} HTTP/1.0`, 'Host: name', ...fields, '', '']
  return server.raw(lines.join('\r\n'))
}
