/** ngx_http_rewrite_module: return, rewrite, set, if, break. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http { server { listen 127.0.0.1:%%PORT_0%%; server_name localhost;
  if ($arg_early) { return 200 "early $arg_early"; }
  location / { return 200 "root $uri $args"; }
  location /moved { return 301 /x?y; }
  location /url { return http://a.b/c; }
  location /gone { return 410; }
  location /text { return 404 "no $arg_x"; }
  location /empty { return 204; }
  location /close { return 444; }
  location /last { rewrite ^/last/(.*)$ /new/$1?q=$1 last; return 500; }
  location /dropped { rewrite ^ /new? last; }
  location /break { rewrite ^/break/(.*)$ /kept/$1 break; return 200 never; }
  location /after { rewrite ^/after/(.*)$ /kept/$1; return 200 "$uri"; }
  location /permanent { rewrite ^/permanent/(.*)$ http://x.y/$1 permanent; }
  location /ten { rewrite '^/ten(x{0,9})$' /tenx$1 last; return 200 "$uri$arg_"; }
  location /loop { rewrite ^ /loop last; }
  location /zero { set $z 0; if ($z) { return 200 yes; } return 200 no; }
  location /case { if ($uri !~* ^/CASE/(?<rest>.*)$) { return 200 no; } return 200 "rest $rest"; }
  location /equal { if ($arg_x != "a b") { return 200 differs; } return 200 equal; }
  location /file { if (-f %%DIR%%/nginx.conf) { set $t f; } if (!-d %%DIR%%) { set $t "$t d"; }
    if (-e %%DIR%%/none) { set $t "$t e"; } if (!-x %%DIR%%/nginx.conf) { set $t "$t !x"; } return 200 "$t"; }
  location /nested { if ($arg_a) { set $n "a"; break; } set $n b; return 200 "[$n]"; }
  location /unset { return 200 "[$never]"; set $never 1; }
  location /log { rewrite_log on; rewrite ^/nothing /x; rewrite ^/log /told last; }
} }`

let server: Server
before(async () => {
  server = await startViaduct(CONF)
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

async function get(target: string): Promise<string> {
  return (await fetch(server.url(target), { redirect: 'manual' })).text()
}
async function head(target: string): Promise<string> {
  const response = await fetch(server.url(target), { redirect: 'manual' })
  return `${response.status} ${response.headers.get('location') ?? ''}`
}

test('return answers with a status, a text or a redirect', async () => {
  assert.equal(await head('/gone'), '410 ')
  assert.equal(await head('/empty'), '204 ')
  assert.equal(await head('/text'), '404 ')
  assert.equal(await get('/text?x=1'), 'no 1')
  assert.equal(await head('/moved'), `301 http://127.0.0.1:${server.port()}/x?y`)
  assert.equal(await head('/url'), '302 http://a.b/c')
  assert.equal(await get('/?early=1'), 'early 1')
  assert.equal(await server.raw('GET /close HTTP/1.0\n\n'), '')
})

test('rewrite changes the URI and its arguments', async () => {
  assert.equal(await get('/last/a%20b?z=1'), 'root /new/a b q=a%20b&z=1')
  assert.equal(await get('/dropped?z=1'), 'root /new ')
  assert.equal(await head('/break/x'), '404 ')
  assert.equal(await get('/after/x'), '/kept/x')
  assert.equal(await head('/permanent/a%20b?x'), '301 http://x.y/a%20b?x')
})

test('a loop ends after ten rounds', async () => {
  assert.equal(await get('/ten?=x'), `/ten${'x'.repeat(10)}`)
  assert.equal(await head('/loop'), '500 ')
  await server.logged(/rewrite or internal redirection cycle while processing "\/loop"/)
})

test('if tests values, patterns and files', async () => {
  assert.equal(await get('/zero'), 'no')
  assert.equal(await get('/case/abc'), 'rest abc')
  assert.equal(await get('/equal'), 'differs')
  assert.equal(await get('/file'), 'f !x')
  assert.equal(await get('/nested'), '[b]')
  assert.equal(await head('/nested?a=1'), '404 ')
})

test('an unset variable is empty, and said to be', async () => {
  assert.equal(await get('/unset'), '[]')
  await server.logged(/\[warn\] .* using uninitialized "never" variable/)
})

test('rewrite_log tells what the rules do', async () => {
  assert.equal(await get('/log'), 'root /told ')
  await server.logged(/\[notice\] .*"\^\/nothing" does not match "\/log"/)
  await server.logged(/\[notice\] .*"\^\/log" matches "\/log"/)
  await server.logged(/\[notice\] .*rewritten data: "\/told", args: ""/)
})
