/** A variable that nobody defines is a mistake wherever it stands, and a group without servers is none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prefix } from '../harness/server.ts'

/** What `-t` finds wrong. */
async function wrong(conf: string): Promise<string[]> {
  await using prefix = await Prefix.create(`pid nginx.pid; events {}\nhttp { access_log off; ${conf} }`)
  const { stderr } = await prefix.run(['-t'])
  return [...stderr.matchAll(/\[emerg\] (.*)$/gm)].map((match) => match[1]!.replaceAll(prefix.dir, 'DIR'))
}

const DIRECTIVES = [
  'proxy_set_header X $',
  'proxy_redirect http://a/ $',
  'proxy_redirect $ /a',
  'proxy_cookie_domain a $',
  'proxy_cookie_path ~a /$',
  'proxy_cookie_flags $ secure',
  'proxy_method $',
  'proxy_set_body $',
  'proxy_bind $',
  'proxy_store /a$',
  'proxy_ssl_name $',
  'proxy_limit_rate $',
  'proxy_ssl_certificate $',
  'grpc_set_header X $',
  'grpc_bind $',
  'memcached_bind $',
  'add_header X $',
  'auth_basic $',
  'auth_basic_user_file $',
  'sub_filter a $',
  'limit_rate $',
  'index $',
  'error_page 404 /$',
  'access_log DIR/$',
  'secure_link $',
]

test('in directives that no location needs', async () => {
  const lines = DIRECTIVES.map((line, i) => `${line.replace('$', `$nope_${i}`)};`)
  const found = await wrong(`\n${lines.join('\n')}\nserver { listen 127.0.0.1:9; }`)
  assert.deepEqual(
    found,
    DIRECTIVES.map((_, i) => `unknown "nope_${i}" variable in DIR/nginx.conf:${i + 3}`),
  )
})

test('what makes a variable stands anywhere', async () => {
  const found = await wrong(`
    add_header A $by_set$BY_GROUP; proxy_set_header B $by_map$by_name; proxy_cookie_path ~(?<by_cookie>a) /$by_cookie;
    proxy_set_header C $arg_a$http_b$cookie_c$sent_http_d$upstream_http_e;
    map $by_set $by_map { ~(?P<in_map>a) $in_map$by_group; default $by_name; }
    server { listen 127.0.0.1:9; server_name ~^(?<by_name>.*)$;
      location / { set $by_set a; }
      location ~ (?'by_group'a) { } }`)
  assert.deepEqual(found, [])
})

test('a folder is not made of itself', async () => {
  const found = await wrong(`server { listen 127.0.0.1:9; root /srv/$realpath_root;
    location / { root $document_root; }
    location /a { alias "\${document_root}x"; } }`)
  assert.deepEqual(found, [
    'the $realpath_root variable cannot be used in the "root" directive in DIR/nginx.conf:2',
    'the $document_root variable cannot be used in the "root" directive in DIR/nginx.conf:3',
    'the $document_root variable cannot be used in the "alias" directive in DIR/nginx.conf:4',
  ])
})

test('a group has servers', async () => {
  const place = 'in DIR/nginx.conf:2'
  for (const inside of ['', 'keepalive 2;', 'zone a 64k;', 'ip_hash;']) {
    assert.deepEqual(await wrong(`upstream u { ${inside} }`), [`no servers are inside upstream ${place}`])
  }
  assert.deepEqual(await wrong('upstream u { server 127.0.0.1 backup; }'), [`no servers in upstream "u" ${place}`])
  assert.deepEqual(await wrong('upstream u { server 127.0.0.1 down; }'), [])
})
