/** Which location answers, and what error pages do: outcomes compared with nginx. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http { server { listen 127.0.0.1:%%PORT_0%%; server_name localhost; root %%DIR%%/www; port_in_redirect off;
  error_page 404 /404.html; error_page 403 =200 /ok403; error_page 405 =405 @named; error_page 410 http://gone.example/x;
  error_page 409 =301 http://p.example/y; error_page 418 = /teapot; error_page 503 =444 /five;
  if ($arg_closed) { add_header X-Reason closed always; return 429; }
  location /e503 { return 503; }
  location = /404.html { internal; return 200 "not found $uri $status $request_uri"; }
  location /ok403 { return 200 "ok $uri|$args|$request_method"; }
  location @named { return 200 "named $uri"; }
  location /teapot { return 201 tea; }
  location /five { return 200 five; }
  location /e403 { return 403; }
  location /e405 { return 405; }
  location /e409 { return 409; }
  location /e410 { return 410; }
  location /e418 { return 418; }
  location /own { error_page 404 = /teapot; return 404; }
  location /rec { recursive_error_pages on; error_page 403 /rec2; return 403; }
  location /rec2 { recursive_error_pages on; error_page 404 /rec3; return 404; }
  location /rec3 { return 200 "rec3 $status"; }
  location ~ ^/re/(?<first>[^/]*)/(.*)$ { return 200 "$first|$1|$2|$3"; }
  location ~* \\.PHP$ { return 200 "php $uri"; }
  location ^~ /noregex/ { return 200 "noregex $uri"; }
  location = /exact { return 200 exact; }
  location /nest/ { return 200 nest;
    location ~ \\.txt$ { return 200 nest-txt; }
    location /nest/in { return 200 nest-in; }
    location = /nest/eq { return 200 nest-eq; } }
  location /if { if ($arg_y = 1) { add_header X-Reason inner; } add_header X-Reason outer; return 200 if; }
  location /internal { internal; return 200 internal; }
  location /enter { rewrite ^ /internal last; }
  location /empty { return 302 ""; }
} }`

let server: Server
before(async () => {
  server = await startViaduct(CONF, { files: { 'www/index.html': 'top' } })
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

async function get(target: string, method = 'GET'): Promise<string> {
  const response = await fetch(server.url(target), { redirect: 'manual', method })
  const text = await response.text()
  const where = response.headers.get('location')
  return `${response.status} ${where ?? (text.startsWith('<') ? 'page' : text)}`
}

const CASES: Readonly<Record<string, string>> = {
  '/nope?x': '404 not found /404.html 404 /nope?x',
  '/404.html': '404 not found /404.html 404 /404.html',
  '/e403?q=1': '200 ok /ok403||GET',
  '/e405': '405 named /e405',
  '/e409': '301 http://p.example/y',
  '/e410': '302 http://gone.example/x',
  '/e418': '201 tea',
  '/e503': '444 five',
  '/own': '201 tea',
  '/rec': '404 rec3 404',
  '/re/aa/bb/cc': 'aa|aa|bb/cc|',
  '/re//x': '404 not found /404.html 404 /re//x',
  '/a.php': 'php /a.php',
  '/noregex/a.php': 'noregex /noregex/a.php',
  '/exact?x': 'exact',
  '/exact/': '404 not found /404.html 404 /exact/',
  '/nest/': 'nest',
  '/nest/a.txt': 'nest-txt',
  '/nest/in': 'nest-in',
  '/nest/in.txt': 'nest-txt',
  '/nest/eq': 'nest-eq',
  '/internal': '404 not found /404.html 404 /internal',
  '/enter': '200 internal',
  '/': '200 top',
}

for (const [target, expected] of Object.entries(CASES)) {
  test(target, async () => {
    assert.equal(await get(target), /^\d{3} /.test(expected) ? expected : `200 ${expected}`)
  })
}

test('an error page is asked for with GET', async () => {
  assert.equal(await get('/e403', 'POST'), '200 ok /ok403||GET')
})

test('settings of an if hold, in a server too', async () => {
  const reason = async (target: string) => (await fetch(server.url(target))).headers.get('x-reason')
  assert.equal(await reason('/if'), 'outer')
  assert.equal(await reason('/if?y=1'), 'inner')
  assert.equal(await reason('/if?closed=1'), 'closed')
  assert.equal(await get('/if?closed=1'), '429 page')
})

test('an empty redirect still has its field', async () => {
  assert.match(await server.raw('GET /empty HTTP/1.0\r\n\r\n'), /\r\nLocation: \r\n/)
})
