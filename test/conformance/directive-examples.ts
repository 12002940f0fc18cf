/** What the documentation's placeholders stand for in the tests of directives, and what surrounds the lines under test. */

/** Values for placeholders, whatever the directive. */
const VALUES: Readonly<Record<string, string>> = {
  address: '127.0.0.1:8080',
  CIDR: '10.0.0.0/8',
  browser: 'msie',
  charset: 'utf-8',
  ciphers: 'HIGH',
  code: '503',
  condition: '$arg_x',
  connections: '8',
  cookie: 'one',
  cpumask: '01',
  curve: 'X25519',
  device: 'device',
  directory: '.',
  field: 'X-Field',
  file: 'file',
  flag: 'secure',
  format: 'combined',
  group: 'nogroup',
  header_timeout: '10s',
  interval: '100ms',
  IP: '127.0.0.1',
  key: '$binary_remote_addr',
  length: '100',
  letter: 'a',
  digit: '1',
  level: '1',
  level1: '1',
  level2: '2',
  level3: '2',
  N: '10',
  name: 'name',
  number: '1',
  path: 'folder',
  pool: 'default',
  rate: '10',
  regex: 'a.b',
  replacement: 'b',
  response: '200',
  size: '64k',
  string: 'text',
  text: 'text',
  time: '10s',
  timeout: '10s',
  uri: '/uri',
  url: 'http://127.0.0.1/',
  URL: 'http://127.0.0.1:8080',
  value: 'value',
  version: '1.0',
  word: 'word',
  zone: 'name',
}

/** Values for placeholders of one directive. */
const OWN_VALUES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Sizes that go together with the defaults of the others.
  ...Object.fromEntries(
    ['proxy', 'fastcgi', 'uwsgi', 'scgi'].flatMap((name) => [
      [`${name}_buffer_size`, { size: '8k' }],
      [`${name}_buffers`, { number: '8', size: '8k' }],
      [`${name}_busy_buffers_size`, { size: '16k' }],
    ]),
  ),
  ...Object.fromEntries(
    ['fastcgi', 'uwsgi', 'scgi'].flatMap((name) => [
      [`${name}_store_access`, { users: 'user', permissions: 'rw' }],
      [`${name}_ignore_headers`, { field: 'Vary' }],
      [`${name}_bind`, { address: '127.0.0.1' }],
    ]),
  ),
  fastcgi_split_path_info: { regex: '^(.+.php)(/.+)$' },
  proxy_store_access: { users: 'user', permissions: 'rw' },
  dav_access: { users: 'user', permissions: 'rw' },
  dav_methods: { method: 'PUT' },
  mp4_limit_rate: { factor: '1.5' },
  image_filter_jpeg_quality: { quality: '80' },
  image_filter_webp_quality: { quality: '80' },
  image_filter_sharpen: { percent: '20' },
  memcached_gzip_flag: { flag: '2' },
  limit_except: { method: 'GET' },
  limit_conn: { zone: 'conn' },
  keepalive_disable: { browser: 'msie6' },
  proxy_ignore_headers: { field: 'Vary' },
  grpc_ignore_headers: { field: 'X-Accel-Expires' },
  variables_hash_max_size: { size: '64' },
  variables_hash_bucket_size: { size: '64' },
  types_hash_max_size: { size: '64' },
  types_hash_bucket_size: { size: '64' },
  server_names_hash_max_size: { size: '64' },
  server_names_hash_bucket_size: { size: '64' },
  referer_hash_max_size: { size: '64' },
  referer_hash_bucket_size: { size: '64' },
  proxy_headers_hash_max_size: { size: '64' },
  proxy_headers_hash_bucket_size: { size: '64' },
  map_hash_max_size: { size: '64' },
  map_hash_bucket_size: { size: '64' },
  access_log: { path: 'logs/a.log', size: '64k', level: '3', time: '1m' },
  allow: { address: '127.0.0.1' },
  ancient_browser: { string: 'old' },
  // Not above that of large_client_header_buffers, as in nginx.
  connection_pool_size: { size: '1k' },
  debug_connection: { address: '127.0.0.1' },
  default_type: { 'mime-type': 'text/x' },
  deny: { address: '127.0.0.1' },
  disable_symlinks: { part: '$document_root' },
  env: { variable: 'NAME' },
  error_log: { file: 'logs/e.log', level: 'info' },
  gzip_comp_level: { level: '9' },
  hash: { key: '$remote_addr' },
  index: { file: 'index.html' },
  limit_conn_zone: { name: 'another', size: '1m' },
  limit_rate: { rate: '100k' },
  limit_req_zone: { name: 'another', size: '1m', rate: '1r/s' },
  load_module: { file: 'modules/ngx_http_headers_more_filter_module.so' },
  memcached_bind: { address: '127.0.0.1' },
  grpc_bind: { address: '127.0.0.1' },
  proxy_bind: { address: '127.0.0.1' },
  tunnel_bind: { address: '127.0.0.1' },
  proxy_cookie_domain: { domain: 'a.test' },
  proxy_cookie_path: { path: '/a/' },
  proxy_limit_rate: { rate: '100k' },
  proxy_method: { method: 'PUT' },
  random: { method: 'least_conn' },
  return: { code: '200' },
  rewrite: { flag: 'last' },
  set_real_ip_from: { address: '127.0.0.1' },
  ssl_certificate: { file: 'cert.pem' },
  ssl_certificate_key: { file: 'key.pem' },
  ssl_client_certificate: { file: 'cert.pem' },
  ssl_trusted_certificate: { file: 'cert.pem' },
  ssl_session_cache: { name: 'ssl', size: '1m' },
  ssl_ocsp_cache: { name: 'ocsp', size: '1m' },
  state: { file: 'state' },
  status: { status: '200' },
  sticky: {
    cookie: 'cookie',
    $variable: '$uri',
    domain: '.a.test',
    size: '1m',
    zone: 'sessions',
    name: 'sessions',
    time: '1h',
  },
  thread_pool: { name: 'pool' },
  try_files: { file: '$uri', code: '404' },
  use: { method: 'epoll' },
  user: { user: 'nobody', group: 'nogroup' },
  userid_service: { number: '3' },
  zone: { name: 'upstream', size: '1m' },
}

/** An example of a placeholder of a directive; what is no placeholder stands for itself. */
export function example(directive: string, placeholder: string): string {
  return OWN_VALUES[directive]?.[placeholder] ?? VALUES[placeholder] ?? placeholder
}

const CACHE_PATHS: readonly string[] = [
  'folder keys_zone=own:64k',
  '/folder/ levels=1:2:1 use_temp_path=off keys_zone=own:1m inactive=1d max_size=1g min_free=1m',
  '/folder keys_zone=own:1m manager_files=1 manager_sleep=1 manager_threshold=1ms',
  '/folder keys_zone=own:1m loader_files=1 loader_sleep=1 loader_threshold=1ms',
  '/folder keys_zone=own:1m purger=on purger_files=1 purger_sleep=1 purger_threshold=1ms',
]
const STALE: readonly string[] = [
  'off',
  'error timeout invalid_header updating',
  'http_500 http_503 http_403 http_404 http_429',
]
const CGI_FAILURES: readonly string[] = [
  'error',
  'timeout',
  'denied',
  'off',
  'invalid_header',
  'http_500',
  'http_503',
  'http_403',
  'http_404',
  'http_429',
  'non_idempotent',
  'error timeout denied',
]
const VERSIONS = ['SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3', 'TLSv1 TLSv1.1 TLSv1.2 TLSv1.3']

/** Lines of directives whose documentation describes their forms in words. */
export const FORMS: Readonly<Record<string, readonly string[]>> = {
  image_filter: ['off', 'test', 'size', 'rotate 90', 'rotate 270', 'resize 10 -', 'crop 10 10'].map(
    (form) => `image_filter ${form}`,
  ),
  access_log: [
    'access_log logs/a.log',
    'access_log logs/a.log combined',
    'access_log logs/a.log combined buffer=32k',
    'access_log logs/a.log combined buffer=32k flush=1m',
    'access_log logs/a.log combined gzip',
    'access_log logs/a.log combined gzip=3 flush=1m if=$a',
    'access_log logs/$host.log',
    'access_log syslog:server=127.0.0.1:514,facility=local7,tag=t,severity=info',
    'access_log syslog:server=unix:/dev/log,nohostname combined',
    'access_log off',
  ],
  auth_jwt: ['auth_jwt realm', 'auth_jwt "the realm of $host" token=$cookie_token', 'auth_jwt off'],
  auth_jwt_claim_set: ['auth_jwt_claim_set $own sub', 'auth_jwt_claim_set $own realm roles'],
  auth_jwt_header_set: ['auth_jwt_header_set $own kid'],
  auth_jwt_require: [
    'auth_jwt_require $jwt_claim_sub',
    'auth_jwt_require $jwt_claim_sub $jwt_header_kid error=403',
    'auth_jwt_require $jwt_claim_sub error=401',
  ],
  auth_require: ['auth_require $uri', 'auth_require $uri $host error=404', 'auth_require $uri error=503'],
  geo: ['geo $own', 'geo $remote_addr $own'],
  num_map: ['num_map $own', 'num_map $remote_port $own'],
  keyval: ['keyval $uri $own zone=pairs; keyval_zone zone=pairs:64k'],
  keyval_zone: [
    'keyval_zone zone=pairs:64k',
    'keyval_zone zone=pairs:64k state=file-to-be type=string',
    'keyval_zone zone=pairs:64k timeout=1h type=ip',
    'keyval_zone zone=pairs:64k timeout=1h type=prefix sync',
  ],
  location: ['location /x/y', 'location = /x/y', 'location ~ y', 'location ~* y', 'location ^~ /x/y'],
  proxy_cache_path: CACHE_PATHS.map((path) => `proxy_cache_path ${path}`),
  resolver: [
    'resolver 127.0.0.1',
    'resolver 127.0.0.1:53 [::1]:53',
    'resolver 127.0.0.1 valid=10s',
    'resolver 127.0.0.1 ipv4=on ipv6=off',
    'resolver 127.0.0.1 ipv4=off',
    'resolver 127.0.0.1 status_zone=name',
  ],
  ssl_session_cache: [
    'ssl_session_cache off',
    'ssl_session_cache none',
    'ssl_session_cache builtin',
    'ssl_session_cache builtin:1000',
    'ssl_session_cache shared:ssl:1m',
    'ssl_session_cache builtin:1000 shared:ssl:1m',
  ],
  ssl_ocsp_cache: ['ssl_ocsp_cache off', 'ssl_ocsp_cache shared:ocsp:1m'],
  // nginx takes `default` behind a proxy_pass only: test/config/said has it.
  proxy_redirect: ['proxy_redirect off', 'proxy_redirect http://a/ /a/', 'proxy_redirect ~a(.*) /b/$1'],
  proxy_cookie_flags: [
    'proxy_cookie_flags off',
    'proxy_cookie_flags one secure',
    'proxy_cookie_flags one httponly samesite=strict',
    'proxy_cookie_flags ~a nosecure nohttponly nosamesite',
    'proxy_cookie_flags one samesite=lax',
    'proxy_cookie_flags one samesite=none',
  ],
  zone: ['zone upstream 1m'],
  memcached_pass: ['memcached_pass 127.0.0.1:8080; set $memcached_key a'],
  proxy_cache_use_stale: [
    'proxy_cache_use_stale error',
    'proxy_cache_use_stale timeout',
    'proxy_cache_use_stale invalid_header',
    'proxy_cache_use_stale updating',
    'proxy_cache_use_stale http_500',
    'proxy_cache_use_stale http_502',
    'proxy_cache_use_stale http_503',
    'proxy_cache_use_stale http_504',
    'proxy_cache_use_stale http_403',
    'proxy_cache_use_stale http_404',
    'proxy_cache_use_stale http_429',
    'proxy_cache_use_stale off',
    'proxy_cache_use_stale error timeout updating',
  ],
  proxy_next_upstream: [
    'proxy_next_upstream error',
    'proxy_next_upstream timeout',
    'proxy_next_upstream denied',
    'proxy_next_upstream off',
    'proxy_next_upstream invalid_header',
    'proxy_next_upstream http_500',
    'proxy_next_upstream http_502',
    'proxy_next_upstream http_503',
    'proxy_next_upstream http_504',
    'proxy_next_upstream http_403',
    'proxy_next_upstream http_404',
    'proxy_next_upstream http_429',
    'proxy_next_upstream non_idempotent',
    'proxy_next_upstream error timeout denied',
  ],
  grpc_next_upstream: [
    'grpc_next_upstream error',
    'grpc_next_upstream timeout',
    'grpc_next_upstream denied',
    'grpc_next_upstream off',
    'grpc_next_upstream invalid_header',
    'grpc_next_upstream http_500',
    'grpc_next_upstream http_502',
    'grpc_next_upstream http_503',
    'grpc_next_upstream http_504',
    'grpc_next_upstream http_403',
    'grpc_next_upstream http_404',
    'grpc_next_upstream http_429',
    'grpc_next_upstream non_idempotent',
    'grpc_next_upstream error timeout denied',
  ],
  ...Object.fromEntries(
    ['fastcgi_next_upstream', 'uwsgi_next_upstream', 'scgi_next_upstream'].map((name) => [
      name,
      CGI_FAILURES.map((failures) => `${name} ${failures}`),
    ]),
  ),
  ...Object.fromEntries(
    ['fastcgi', 'uwsgi', 'scgi'].flatMap((name) => [
      [`${name}_cache_path`, CACHE_PATHS.map((path) => `${name}_cache_path ${path}`)],
      [`${name}_cache_use_stale`, STALE.map((conditions) => `${name}_cache_use_stale ${conditions}`)],
    ]),
  ),
  uwsgi_pass: ['uwsgi_pass 127.0.0.1:8081', 'uwsgi_pass uwsgi://127.0.0.1:8081', 'uwsgi_pass suwsgi://127.0.0.1:8081'],
  memcached_next_upstream: [
    'memcached_next_upstream error',
    'memcached_next_upstream timeout',
    'memcached_next_upstream denied',
    'memcached_next_upstream off',
    'memcached_next_upstream invalid_response',
    'memcached_next_upstream not_found',
    'memcached_next_upstream error timeout denied',
  ],
  tunnel_next_upstream: [
    'tunnel_next_upstream error',
    'tunnel_next_upstream timeout',
    'tunnel_next_upstream denied',
    'tunnel_next_upstream off',
    'tunnel_next_upstream error timeout denied',
  ],
  body: ['body ~ "ok"', 'body !~ "no"'],
  check: [
    'check interval=3000 rise=2 fall=5 timeout=1000 type=http',
    'check interval=3000 type=tcp default_down=false port=8081',
    'check type=ssl_hello',
    'check type=mysql',
    'check type=ajp',
    'check type=fastcgi',
  ],
  error_page: [
    'error_page 404 /404',
    'error_page 500 502 503 504 /50x',
    'error_page 404 =200 /a',
    'error_page 404 = @a',
  ],
  header: ['header Content-Type = text/html', 'header Server ~ nginx', 'header ! X-Bad', 'header X != y'],
  health_check: [
    'health_check',
    'health_check interval=5s jitter=1s fails=3 passes=2 uri=/health',
    'health_check mandatory',
    'health_check mandatory persistent',
    'health_check match=m',
    'health_check port=8081',
    'health_check keepalive_time=60s',
  ],
  http2_push: ['http2_push /a', 'http2_push off'],
  if: [
    'if ($a)',
    'if ($a = b)',
    'if ($a != b)',
    'if ($a ~ b)',
    'if ($a ~* b)',
    'if ($a !~ b)',
    'if ($a !~* b)',
    'if (-f $a)',
    'if (!-f $a)',
    'if (-d $a)',
    'if (!-d $a)',
    'if (-e $a)',
    'if (!-e $a)',
    'if (-x $a)',
    'if (!-x $a)',
  ],
  listen: [
    ...['127.0.0.1:8080', '8080', '*:8080', '[::1]:8080', '[::]:8080', 'localhost:8080', 'unix:folder.sock'].map(
      (l) => `listen ${l}`,
    ),
    'listen 127.0.0.1',
    'listen 127.0.0.1:8000-8003',
    'listen 8000-8003',
    'listen [::1]:8000-8003',
    ...[
      'default_server',
      'http2',
      'proxy_protocol',
      'backlog=16',
      'rcvbuf=64k',
      'sndbuf=64k',
      'deferred',
      'bind',
      'reuseport',
      'so_keepalive=on',
      'so_keepalive=off',
      'so_keepalive=30m::10',
      'so_keepalive=30m:1m:',
      'so_keepalive=:1m:10',
    ].map((parameter) => `listen 127.0.0.1:8080 ${parameter}`),
    'listen 127.0.0.1:8080 ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem',
    'listen [::]:8080 ipv6only=on',
    'listen [::]:8080 ipv6only=off',
    'listen 127.0.0.1:8080 default_server proxy_protocol backlog=16 bind reuseport so_keepalive=on',
  ],
  ...Object.fromEntries(
    ['ssl_protocols', 'proxy_ssl_protocols', 'grpc_ssl_protocols', 'uwsgi_ssl_protocols'].map((name) => [
      name,
      VERSIONS.map((versions) => `${name} ${versions}`),
    ]),
  ),
  server_name: [
    'server_name a.test',
    'server_name a.test *.a.test b.*',
    'server_name .a.test',
    'server_name ~^(?<name>.+)\\.test$',
    'server_name ""',
    'server_name $hostname',
    'server_name _',
  ],
  session_log: ['session_log off'],
  session_log_zone: [
    'session_log_zone logs/s.log zone=own:64k',
    'session_log_zone logs/s.log zone=own:1m format=combined timeout=30s id=$arg_id md5=$remote_addr',
  ],
  set: ['set $variable value', 'set $variable "$uri and more"'],
  status: ['status 200', 'status 200-399', 'status ! 500', 'status ! 301-303 307', 'status 200 204'],
  try_files: ['try_files $uri /a', 'try_files $uri $uri/ =404', 'try_files /x @name'],
  userid_flags: ['userid_flags off', 'userid_flags secure httponly samesite=strict', 'userid_flags samesite=lax'],
  valid_referers: ['valid_referers none blocked a.test', 'valid_referers server_names', 'valid_referers *.a.test ~a'],
  worker_cpu_affinity: ['worker_cpu_affinity 01', 'worker_cpu_affinity auto', 'worker_cpu_affinity auto 01'],
}

/** Forms of `server` in an upstream. */
export const UPSTREAM_SERVER: readonly string[] = [
  'server 127.0.0.1',
  'server 127.0.0.1:8080',
  'server [::1]:8080',
  'server unix:folder.sock',
  'server localhost:8080',
  ...[
    'weight=5',
    'max_conns=10',
    'max_fails=0',
    'fail_timeout=10s',
    'backup',
    'down',
    'drain',
    'slow_start=30s',
    'route=a',
  ].map((parameter) => `server 127.0.0.1:8082 ${parameter}`),
  'server a.test resolve',
  'server a.test service=_http._tcp resolve',
]

/** What a block has in it. */
const BODIES: Readonly<Record<string, string>> = {
  charset_map: '41 42;',
  geo: 'default 0;',
  http: 'server { listen 127.0.0.1:8080; }',
  if: 'set $b 1;',
  limit_except: 'deny all;',
  map: 'default 0;',
  match: 'status 200;',
  split_clients: '* a;',
  types: 'text/html html;',
  upstream: 'server 127.0.0.1:8080;',
}

/** Lines that a directive needs beside it. */
const COMPANIONS: Readonly<Record<string, string>> = {
  grpc_ssl_certificate: 'grpc_ssl_certificate_key key.pem;',
  grpc_ssl_certificate_key: 'grpc_ssl_certificate cert.pem;',
  uwsgi_ssl_certificate: 'uwsgi_ssl_certificate_key key.pem;',
  uwsgi_ssl_certificate_key: 'uwsgi_ssl_certificate cert.pem;',
  health_check: 'proxy_pass http://group;',
  proxy_ssl_certificate: 'proxy_ssl_certificate_key key.pem;',
  proxy_ssl_certificate_key: 'proxy_ssl_certificate cert.pem;',
  ssl_certificate: 'ssl_certificate_key key.pem;',
  ssl_early_data: 'ssl_certificate cert.pem; ssl_certificate_key key.pem;',
  ssl_verify_client: 'ssl_client_certificate cert.pem;',
}

const PRELUDE = `limit_req_zone $uri zone=name:1m rate=1r/s; limit_conn_zone $uri zone=conn:1m;
  match m { status 200; } upstream group { zone group 64k; server 127.0.0.1:8080; }
  server { listen 127.0.0.1:8079; location @name { } set $a ""; }`

/** A whole configuration with `line` in `context`. */
export function frame(context: string, name: string, line: string, isBlock: boolean): string {
  const whole = isBlock ? `${line} { ${BODIES[name] ?? ''} }` : `${line};`
  const text = `${whole} ${COMPANIONS[name] ?? ''}`
  const server = 'server { listen 127.0.0.1:8080;'
  const http = (inner: string): string => `events { } http { ${PRELUDE} ${inner} }`
  switch (context) {
    case 'main':
      return `${text} ${name === 'events' ? '' : 'events { }'} ${name === 'http' ? '' : 'http { server { listen 127.0.0.1:8080; } }'}`
    case 'events':
      return `events { ${text} } http { }`
    case 'http':
      return http(`${text} ${server} }`)
    case 'server':
      return http(`${name === 'listen' ? 'server {' : server} ${text} }`)
    case 'server_if':
      return http(`${server} if ($a) { ${text} } }`)
    case 'location':
      return http(`${server} location /x/ { ${text} } }`)
    case 'if':
      return http(`${server} location /x/ { if ($a) { ${text} } } }`)
    case 'limit_except':
      return http(`${server} location /x/ { limit_except GET { ${text} } } }`)
    case 'match':
      return http(`match own { ${text} }`)
    case 'upstream':
      return http(
        `upstream own { ${name === 'zone' ? '' : 'zone own 1m;'} ${name === 'resolver' ? '' : 'resolver 127.0.0.1;'} ${name === 'state' ? '' : 'server 127.0.0.1:8081;'} ${text} }`,
      )
    default:
      throw new Error(`no frame for ${context}`)
  }
}

/** Documented forms that are refused, with the reason that the published list gives. */
export const REFUSED: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^(?:proxy|fastcgi|uwsgi|scgi)_cache (?!off)/, 'nobody declares the zone'],
  [/^ssl_engine /, 'the OpenSSL in Node.js has no engines'],
  [/ sync$/, 'zones are not shared between machines yet'],
]

/** Defaults that differ from the documentation's text, with what they are here. */
export const OWN_DEFAULTS: Readonly<Record<string, string>> = {
  // nginx's source has the size of a page.
  'http tunnel_buffer_size': '4k',
}
