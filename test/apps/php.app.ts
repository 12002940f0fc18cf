/**
 * PHP under php-fpm, with the `server` block that guides give for it, and DokuWiki with the rewriting that its own guide
 * gives. Only addresses and paths are replaced.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'
import { BackEnd } from './back-ends.ts'

const SCRIPTS: Readonly<Record<string, string>> = {
  'index.php': `<?php
    header('X-Script: ' . $_SERVER['SCRIPT_FILENAME']);
    echo json_encode(['route' => $_SERVER['REQUEST_URI'], 'get' => $_GET, 'https' => $_SERVER['HTTPS'] ?? null,
      'name' => $_SERVER['SCRIPT_NAME'], 'info' => $_SERVER['PATH_INFO'] ?? null, 'host' => $_SERVER['HTTP_HOST']]);`,
  'upload.php': `<?php
    $file = $_FILES['file']['tmp_name'] ?? 'php://input';
    echo json_encode(['size' => $_FILES['file']['size'] ?? strlen(file_get_contents('php://input')),
      'sha256' => hash_file('sha256', $file), 'length' => $_SERVER['CONTENT_LENGTH'] ?? null]);`,
  'visits.php': '<?php session_start(); echo $_SESSION["visits"] = ($_SESSION["visits"] ?? 0) + 1;',
  'events.php': `<?php header('Content-Type: text/event-stream'); header('X-Accel-Buffering: no');
    for ($i = 0; $i < 3; $i++) { echo "data: $i\\n\\n"; ob_flush(); flush(); if ($i < 2) fgets(fopen('%%DIR%%/go' . $i, 'r')); }`,
  'early.php': '<?php echo "done"; fastcgi_finish_request(); touch("%%DIR%%/html/finished"); usleep(100000);',
  'warns.php': '<?php error_log("look here"); http_response_code(503); echo "busy";',
  'download.php': '<?php header("X-Accel-Redirect: /protected/file.bin"); header("Content-Type: application/x-own");',
  'large.php': '<?php for ($i = 0; $i < 2000; $i++) echo str_repeat(chr(65 + $i % 26), 1000);',
  'clock.php': '<?php usleep(100000); echo hrtime(true);',
}

const running = new AsyncDisposableStack()
let server: Server
let folder: string

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-php-app-'))
  fs.chmodSync(folder, 0o755)
  running.defer(() => fs.rmSync(folder, { recursive: true, force: true }))
  fs.mkdirSync(`${folder}/html`)
  fs.mkdirSync(`${folder}/protected`)
  fs.writeFileSync(`${folder}/protected/file.bin`, 'protected bytes')
  fs.writeFileSync(`${folder}/html/style.css`, 'a { }')
  for (const [name, text] of Object.entries(SCRIPTS)) {
    fs.writeFileSync(`${folder}/html/${name}`, text.replaceAll('%%DIR%%', folder))
  }
  const php = running.use(await BackEnd.phpFpm(folder, 4))
  installWiki(folder)
  server = running.use(await startViaduct(configuration(php.socketPath)))
})
after(() => running.disposeAsync())

/** `php`: where php-fpm listens. */
function configuration(php: string): string {
  return `http {
      include ${new URL('../../conf/mime.types', import.meta.url).pathname};
      client_max_body_size 60m;
      fastcgi_cache_path ${folder}/cache levels=1:2 keys_zone=php:10m max_size=100m inactive=60m use_temp_path=off;
      upstream php-kept { server unix:${php}; keepalive 2; }
      server {
        listen 127.0.0.1:%%PORT_0%%;
        server_name example.com;
        root ${folder}/html;
        index index.php index.html;

        location / {
          try_files $uri $uri/ /index.php?$query_string;
        }

${cachedLocation(php)}

        location ~ ^/kept/(.+\\.php)$ {
          fastcgi_pass php-kept;
          fastcgi_keep_conn on;
          fastcgi_param SCRIPT_FILENAME $document_root/$1;
          include fastcgi_params;
        }

        location ~ ^/unbuffered/(.+\\.php)$ {
          fastcgi_pass unix:${php};
          fastcgi_request_buffering off;
          fastcgi_param SCRIPT_FILENAME $document_root/$1;
          include fastcgi_params;
        }

        location ~ \\.php$ {
          include snippets/fastcgi-php.conf;
          fastcgi_pass unix:${php};
        }

        location /protected/ {
          internal;
          root ${folder};
        }

        location ~ /\\.ht {
          deny all;
        }
      }
${wikiServer(php)}
    }`
}

/** A guide's example of `fastcgi_cache`. */
function cachedLocation(php: string): string {
  return `location ~ ^/cached/(.+\\.php)$ {
          fastcgi_cache php;
          fastcgi_cache_key "$scheme$request_method$host$request_uri";
          fastcgi_cache_valid 200 302 1h;
          fastcgi_cache_valid 404 1m;
          fastcgi_cache_valid any 5m;
          fastcgi_cache_use_stale error timeout updating http_500 http_503;
          fastcgi_cache_background_update on;
          fastcgi_cache_revalidate on;
          fastcgi_cache_lock on;
          fastcgi_cache_lock_timeout 5s;
          fastcgi_cache_bypass $cookie_nocache $arg_nocache;
          fastcgi_no_cache $http_pragma $http_authorization;
          add_header X-Cache $upstream_cache_status;
          fastcgi_pass unix:${php};
          fastcgi_index index.php;
          fastcgi_param SCRIPT_FILENAME $document_root/$1;
          fastcgi_buffer_size 16k;
          fastcgi_buffers 8 16k;
          fastcgi_busy_buffers_size 32k;
          fastcgi_intercept_errors on;
          include fastcgi_params;
        }`
}

/** The `server` that DokuWiki's guide gives. */
function wikiServer(php: string): string {
  return `server {
        listen 127.0.0.1:%%PORT_1%%;
        root ${folder}/wiki;
        index doku.php;

        location ~ /(conf|bin|inc|vendor|data)/ { deny all; }
        location / { try_files $uri $uri/ @dokuwiki; }
        location @dokuwiki {
          rewrite ^/_media/(.*) /lib/exe/fetch.php?media=$1 last;
          rewrite ^/_detail/(.*) /lib/exe/detail.php?media=$1 last;
          rewrite ^/_export/([^/]+)/(.*) /doku.php?do=export_$1&id=$2 last;
          rewrite ^/(.*) /doku.php?id=$1&$args last;
        }
        location ~ \\.php$ {
          try_files $uri $uri/ /doku.php;
          include fastcgi_params;
          fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
          fastcgi_param REDIRECT_STATUS 200;
          fastcgi_pass unix:${php};
        }
      }`
}

/** A wiki of its own out of what Debian's package installs: anybody may edit, and pages have plain addresses. */
function installWiki(at: string): void {
  const wiki = `${at}/wiki`
  fs.cpSync('/usr/share/dokuwiki', wiki, { recursive: true, dereference: true })
  fs.cpSync('/etc/dokuwiki', `${wiki}/conf`, { recursive: true, dereference: true })
  fs.cpSync('/var/lib/dokuwiki/data', `${wiki}/data`, { recursive: true, dereference: true })
  fs.writeFileSync(`${wiki}/inc/preload.php`, `<?php define('DOKU_CONF', '${wiki}/conf/');`)
  fs.writeFileSync(
    `${wiki}/conf/local.php`,
    `<?php $conf['title'] = 'The Wiki'; $conf['useacl'] = 0; $conf['userewrite'] = 1; $conf['savedir'] = '${wiki}/data';`,
  )
}

async function json(target: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
  return (await fetch(server.url(target), init)).json() as Promise<Record<string, unknown>>
}

test('what is no file goes to the front controller, and files do not', async () => {
  const route = await json('/some/route?a=1&b=2')
  assert.deepEqual(route, {
    route: '/some/route?a=1&b=2',
    get: { a: '1', b: '2' },
    https: null,
    name: '/index.php',
    info: '',
    host: `127.0.0.1:${server.port()}`,
  })
  assert.equal(await (await fetch(server.url('/style.css'))).text(), 'a { }')
  assert.equal((await json('/')).name, '/index.php')
})

test('scripts that are not there are 404, and a picture is no script', async () => {
  assert.equal((await fetch(server.url('/none.php'))).status, 404)
  assert.equal((await fetch(server.url('/.htaccess'))).status, 403)
  assert.match(await (await fetch(server.url('/style.css/x.php'))).text(), /404 Not Found/)
})

test('50 MB arrive, as a form and as they are', async () => {
  const bytes = Buffer.alloc(50 * 1024 * 1024, 'fifty megabytes ')
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const form = new FormData()
  form.set('file', new Blob([bytes]), 'large.bin')
  assert.deepEqual((await json('/upload.php', { method: 'POST', body: form }))['sha256'], sha256)
  const init = { method: 'PUT', body: bytes, headers: { 'Content-Type': 'application/octet-stream' } }
  for (const target of ['/upload.php', '/unbuffered/upload.php']) {
    const { size, length } = await json(target, init)
    assert.deepEqual([size, length], [bytes.length, String(bytes.length)])
  }
})

test('a chunked upload has its length, also without buffering', async () => {
  for (const target of ['/upload.php', '/unbuffered/upload.php']) {
    const socket = net.connect(server.port(), '127.0.0.1')
    const head = `PUT ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`
    socket.write(`${head}5\r\nhello\r\n`)
    setTimeout(() => socket.write('5\r\nworld\r\n0\r\n\r\n'), 100)
    const answer = (await socket.toArray()).join('')
    assert.match(answer, /"size":10,.*"length":"10"/, target)
  }
})

test('a session goes on', async () => {
  const first = await fetch(server.url('/visits.php'))
  assert.equal(await first.text(), '1')
  const cookie = first.headers.get('set-cookie')!.split(';')[0]!
  assert.equal(await (await fetch(server.url('/visits.php'), { headers: { cookie } })).text(), '2')
})

test('events come one by one', async () => {
  const { spawnSync } = await import('node:child_process')
  spawnSync('mkfifo', [`${folder}/go0`, `${folder}/go1`])
  const reader = (await fetch(server.url('/events.php'))).body!.getReader()
  for (const number of [0, 1, 2]) {
    const { value } = await reader.read()
    assert.equal(Buffer.from(value!).toString(), `data: ${number}\n\n`)
    if (number < 2) fs.writeFileSync(`${folder}/go${number}`, 'go\n')
  }
})

test('a script may go on when the client has its answer', async () => {
  assert.equal(await (await fetch(server.url('/early.php'))).text(), 'done')
  await server.until('the script has gone on', () => fs.existsSync(`${folder}/html/finished`))
})

test('messages of PHP are in the error log, and its status goes to the client', async () => {
  const response = await fetch(server.url('/warns.php'))
  assert.deepEqual([response.status, await response.text()], [503, 'busy'])
  await server.logged(/FastCGI sent in stderr: "PHP message: look here" while reading response header from upstream/)
})

test('X-Accel-Redirect sends a file that nobody else may have', async () => {
  const response = await fetch(server.url('/download.php'))
  assert.equal(await response.text(), 'protected bytes')
  assert.equal(response.headers.get('content-type'), 'application/x-own')
  assert.equal((await fetch(server.url('/protected/file.bin'))).status, 404)
})

test('two megabytes come whole, to slow clients too', async () => {
  const whole = Buffer.from(await (await fetch(server.url('/large.php'))).arrayBuffer())
  assert.equal(whole.length, 2_000_000)
  assert.equal(whole.subarray(1_999_000).toString(), 'X'.repeat(1000))
})

test('kept connections serve many requests, and others are not kept waiting by them', async () => {
  for (let round = 0; round < 20; round++) {
    assert.equal((await json('/kept/index.php'))['name'], '/kept/index.php')
    assert.equal((await fetch(server.url('/index.php'))).status, 200)
  }
})

test("a guide's cache answers without PHP, which many at once ask but once", async () => {
  const get = async (target: string, method = 'GET'): Promise<[string | null, string]> => {
    const response = await fetch(server.url(target), { method })
    return [response.headers.get('x-cache'), await response.text()]
  }
  const first = await Promise.all(Array.from({ length: 20 }, () => get('/cached/clock.php')))
  assert.equal(new Set(first.map(([, text]) => text)).size, 1)
  assert.deepEqual(await get('/cached/clock.php'), ['HIT', first[0]![1]])
  const [bypass, fresh] = await get('/cached/clock.php?nocache=1')
  assert.equal(bypass, 'BYPASS')
  assert.notEqual(fresh, first[0]![1])
  assert.deepEqual([(await get('/cached/none.php'))[0], (await get('/cached/none.php'))[0]], [null, null])
  // A session is nobody else's.
  const visits = async (): Promise<string> => (await get('/cached/visits.php'))[1]
  assert.deepEqual([await visits(), await visits()], ['1', '1'])
})

test('DokuWiki shows, edits and searches pages under plain addresses', async () => {
  const start = await (await fetch(server.url('/start', 1))).text()
  assert.ok(start.includes('<title>start [The Wiki]'), 'the wiki is shown')
  const page = await fetch(server.url('/bridges:stone?do=edit', 1))
  const cookie = page.headers
    .getSetCookie()
    .map((one) => one.split(';')[0])
    .join('; ')
  const form = await page.text()
  const hidden = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(form)?.[1] ?? ''
  const body = new URLSearchParams({
    sectok: hidden('sectok'),
    id: 'bridges:stone',
    rev: '0',
    date: hidden('date'),
    prefix: '.',
    suffix: '',
    changecheck: hidden('changecheck'),
    target: 'section',
    wikitext: '====== Stone ======\nA viaduct of **stone**.',
    summary: 'made',
    'do[save]': '1',
  })
  const saved = await fetch(server.url('/bridges:stone?do=edit', 1), {
    method: 'POST',
    body,
    headers: { cookie },
    redirect: 'manual',
  })
  assert.equal(saved.status, 302, await saved.text())
  const shown = await (await fetch(server.url('/bridges:stone', 1))).text()
  assert.ok(shown.includes('A viaduct of <strong>stone</strong>'), 'the page is shown')
  // The first one makes it.
  await (await fetch(server.url('/lib/exe/css.php?t=dokuwiki', 1))).text()
  const css = await fetch(server.url('/lib/exe/css.php?t=dokuwiki', 1))
  assert.match(css.headers.get('content-type')!, /text\/css/)
  const etag = css.headers.get('etag')!
  assert.equal(
    (await fetch(server.url('/lib/exe/css.php?t=dokuwiki', 1), { headers: { 'If-None-Match': etag } })).status,
    304,
  )
  assert.equal((await fetch(server.url('/data/pages/bridges/stone.txt', 1))).status, 403)
  const media = await fetch(server.url('/_media/wiki:dokuwiki-128.png', 1))
  assert.equal(media.headers.get('content-type'), 'image/png')
})
