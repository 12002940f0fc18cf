/** ngx_http_log_module: formats, conditions, buffers, names with variables, and what is refused. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  log_format plain "$uri $status $body_bytes_sent";
  log_format quoted escape=json '{"agent":"$http_user_agent","none":"$http_none"}';
  log_format bare escape=none "$http_user_agent|$http_none";
  log_format escaped "$http_user_agent|$http_none";
  log_format pipe "$uri $pipe";
  log_format words '$status' 'and' "$uri" more;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%;
    location /default { return 200; }
    location /two { access_log %%DIR%%/one.log PLAIN; access_log %%DIR%%/two.log plain; return 204; }
    location /off { access_log off; return 204; }
    location /if { access_log %%DIR%%/if.log plain if=$arg_log; return 204; }
    location /escape { access_log %%DIR%%/json.log quoted; access_log %%DIR%%/bare.log bare;
      access_log %%DIR%%/escaped.log escaped; return 204; }
    location /buffer { access_log %%DIR%%/buffer.log plain buffer=1k; return 204; }
    location /flush { access_log %%DIR%%/flush.log plain buffer=1k flush=10ms; return 204; }
    location /gzip { access_log %%DIR%%/log.gz plain gzip buffer=1k; return 204; }
    location /variable { access_log %%DIR%%/v_$arg_n.log plain; return 204; }
    location /relative { access_log $arg_n.log plain; return 204; }
    location /nowhere { root %%DIR%%/$arg_n; access_log %%DIR%%/nowhere.log$arg_n plain; return 204; }
    location /aliased { alias %%DIR%%/file; access_log %%DIR%%/a_$arg_n.log plain; }
    location /words { access_log %%DIR%%/words.log words; return 204; }
    location /pipe { access_log %%DIR%%/pipe.log pipe; return 204; }
  }
}`

let server: Server
before(async () => {
  server = await startViaduct(CONF, { files: { file: 'text' }, prepare: (dir) => fs.chmodSync(dir, 0o777) })
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

async function get(target: string, headers: Record<string, string> = {}): Promise<void> {
  await (await fetch(server.url(target), { headers })).text()
}

async function written(file: string, text: string): Promise<void> {
  await server.until(`${file} is ${JSON.stringify(text)}`, () => server.prefix.read(file) === text)
}

test('the default log is combined', async () => {
  await get('/default', { 'User-Agent': 'me', Referer: 'there' })
  await server.until('a line', () => server.prefix.read('logs/access.log') !== '')
  assert.match(
    server.prefix.read('logs/access.log'),
    /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET \/default HTTP\/1\.1" 200 0 "there" "me"\n$/,
  )
})

test('each word of a format is a text of its own', async () => {
  await get('/words')
  await written('words.log', '204and/wordsmore\n')
})

test('a request is written to every log of its location, and to none when it is off', async () => {
  await get('/two')
  await written('one.log', '/two 204 0\n')
  await written('two.log', '/two 204 0\n')
  await get('/off')
  assert.doesNotMatch(server.prefix.read('logs/access.log'), /off/)
})

test('a condition that is empty or 0 writes nothing', async () => {
  for (const query of ['', '?log=0', '?log=', '?log=1', '?log=00']) await get(`/if${query}`)
  await written('if.log', '/if 204 0\n/if 204 0\n')
})

test('values are escaped as the format says', async () => {
  await get('/escape', { 'User-Agent': 'a"b\\c\xe9' })
  await written('json.log', '{"agent":"a\\"b\\\\c\xe9","none":""}\n')
  await written('bare.log', 'a"b\\c\xe9|\n')
  await written('escaped.log', 'a\\x22b\\x5Cc\\xE9|-\n')
})

test('buffers are written when full, in time, and when logs are opened anew', async () => {
  await get('/flush')
  await written('flush.log', '/flush 204 0\n')
  await get('/buffer')
  assert.equal(server.prefix.read('buffer.log'), '')
  for (let i = 0; i < 85; i++) await get('/buffer')
  assert.ok(server.prefix.read('buffer.log').length > 900)
  await get('/gzip')
  server.signal('SIGUSR1')
  await server.until('the compressed log', () => fs.statSync(server.prefix.path('log.gz')).size > 0)
  assert.equal(gunzipSync(fs.readFileSync(server.prefix.path('log.gz'))).toString(), '/gzip 204 0\n')
})

test('names may have variables', async () => {
  await get('/variable?n=x')
  await written('v_x.log', '/variable 204 0\n')
  await get('/relative?n=y')
  await written('y.log', '/relative 204 0\n')
})

test('a file that was served is root enough', async () => {
  await get('/aliased?n=f')
  await written('a_f.log', '/aliased 200 4\n')
})

test('where there is no document root, names with variables are not used', async () => {
  await get('/nowhere?n=z')
  await server.logged(/\[error\] .*testing "[^"]*\/z" existence failed \(2: No such file or directory\)/)
  assert.ok(!fs.existsSync(server.prefix.path('nowhere.logz')))
})

test('requests that came before the last was answered are told', async () => {
  const request = (more = ''): string => `GET /pipe HTTP/1.1\r\nHost: x\r\n${more}\r\n`
  await server.raw(request() + request() + request('Connection: close\r\n'))
  await server.raw(request('Connection: close\r\n'))
  await written('pipe.log', '/pipe .\n/pipe p\n/pipe p\n/pipe .\n')
})

const REFUSED: readonly (readonly [string, string])[] = [
  ['access_log a.log none;', 'unknown log format "none"'],
  ['access_log a.log buffer=1k;', 'unknown log format "buffer=1k"'],
  ['access_log a.log combined buffer=0;', 'invalid buffer size "0"'],
  ['access_log a.log combined flush=1s;', 'no buffer is defined for access_log "a.log"'],
  ['access_log a.log combined gzip=10;', 'invalid compression level "10"'],
  ['access_log a.log combined what;', 'invalid parameter "what"'],
  ['access_log off what;', 'invalid parameter "what"'],
  ['access_log a$uri combined buffer=1k;', 'buffered logs cannot have variables in name'],
  ['access_log syslog:server=127.0.0.1 combined buffer=1k;', 'logs to syslog cannot be buffered'],
  ['access_log syslog:tag=x;', 'no syslog server specified'],
  [
    'access_log a.log combined buffer=1k; access_log a.log combined buffer=2k;',
    'access_log "a.log" already defined with conflicting parameters',
  ],
  ['log_format a "$uri"; log_format a "$uri";', 'duplicate "log_format" name "a"'],
  ['log_format a escape=x "$uri";', 'unknown log format escaping "x"'],
  ['log_format a "$nothing"; access_log a.log a;', 'unknown "nothing" variable'],
]

test('mistakes are named as nginx names them', async () => {
  await using prefix = await Prefix.create('')
  for (const [text, message] of REFUSED) {
    prefix.write('nginx.conf', `events { } http { ${text} server { } }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, text)
    assert.ok(stderr.includes(message), `${text}\n${stderr}`)
  }
})
