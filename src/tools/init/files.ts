/** The configuration files of a project: what development and production share, and one whole configuration for each. */
import type { Project } from './detect.ts'

/** What is asked beside what is found. */
export interface InitOptions {
  /** HTTPS for this name in production. */
  readonly domain: string | undefined
  readonly target: 'compose' | 'systemd'
  readonly uploadLimit: string
  readonly devPort: number
}

type Lines = readonly string[]

/** Vite's own. */
const VITE_PORT = 5173
const APP_PORT = 8000
const PHP_PORT = 9000
const HTML = '/usr/share/nginx/html'

function block(head: string, ...lines: readonly Lines[]): string[] {
  return [`${head} {`, ...spaced(lines).map((line) => (line === '' ? '' : `    ${line}`)), '}']
}

/** Groups of lines with a blank line between them. */
function spaced(groups: readonly Lines[]): string[] {
  return groups.filter(({ length }) => length > 0).flatMap((lines, i) => (i === 0 ? [...lines] : ['', ...lines]))
}

function text(...groups: readonly Lines[]): string {
  return `${spaced(groups).join('\n')}\n`
}

/** What both configurations include in their http block. */
export function httpConf({ backend }: Project): string {
  return text(
    ['# What development and production share; both include it in their http block.'],
    [
      '# WebSockets ask for an upgrade; other requests leave their connection open.',
      ...block('map $http_upgrade $connection_upgrade', ['default upgrade;', "''      '';"]),
    ],
    [
      'log_format timed \'$remote_addr [$time_local] "$request" $status $body_bytes_sent \'',
      '                 \'rt=$request_time urt=$upstream_response_time "$http_referer" "$http_user_agent"\';',
    ],
    backend === undefined
      ? []
      : [
          '# Over the limit, clients are answered 429.',
          'limit_req_zone $binary_remote_addr zone=api:10m rate=20r/s;',
          'limit_req_status 429;',
        ],
    [
      'proxy_set_header Host $host;',
      'proxy_set_header X-Real-IP $remote_addr;',
      'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
      'proxy_set_header X-Forwarded-Proto $scheme;',
      'proxy_set_header Upgrade $http_upgrade;',
      'proxy_set_header Connection $connection_upgrade;',
    ],
  )
}

/** The configuration to develop with: `viaduct -c conf/nginx/dev.nginx`. */
export function devConf(project: Project, { devPort, uploadLimit }: InitOptions): string {
  const { backend, frontend } = project
  const own =
    backend?.kind === 'PHP'
      ? []
      : [...backendGroup(backend && `127.0.0.1:${backend.port}`), ...(frontend?.kind === 'Vite' ? frontendGroup() : [])]
  return text(
    [
      '# Development: no TLS, no caching, everything in the terminal.',
      ...(backend === undefined ? [] : [`#   ${backend.folder}: ${backend.command}`]),
      ...(frontend?.kind === 'Vite' ? [`#   ${frontend.folder}: npx vite`] : []),
      '#   viaduct -c conf/nginx/dev.nginx',
    ],
    ['daemon off;', 'worker_processes 1;', 'error_log stderr info;', 'pid dev.pid;'],
    ['events {}'],
    block(
      'http',
      ['include mime.types;', 'include http.conf;', 'default_type application/octet-stream;', 'server_tokens off;'],
      ['access_log /dev/stdout timed;'],
      own,
      block(
        'server',
        [`listen 127.0.0.1:${devPort};`, 'server_name localhost;', `client_max_body_size ${uploadLimit};`],
        ...devLocations(project),
      ),
    ),
  )
}

function devLocations(project: Project): Lines[] {
  const { backend, frontend } = project
  if (backend?.kind === 'PHP') return phpLocations(`../../${publicFolder(backend.folder)}`, '127.0.0.1:9000')
  const rest =
    frontend?.kind === 'Vite'
      ? passTo('frontend', ['# Vite, and its WebSocket for what has changed.', 'proxy_read_timeout 1h;'])
      : []
  if (frontend === undefined)
    return backend === undefined ? [] : [block('location /', passTo('backend', ['proxy_read_timeout 1h;']))]
  return [
    ...(backend === undefined ? [] : apiLocations(backend.kind, false)),
    frontend.kind === 'Vite'
      ? block('location /', rest)
      : block('location /', [`root ../../${frontend.files};`, 'try_files $uri $uri/ =404;', 'expires -1;']),
  ]
}

/** The configuration for production. */
export function prodConf(project: Project, { domain, target, uploadLimit }: InitOptions): string {
  const { backend } = project
  const port = backend?.kind === 'PHP' ? PHP_PORT : APP_PORT
  const address = target === 'compose' ? `backend:${port}` : `127.0.0.1:${port}`
  const group = backend === undefined || backend.kind === 'PHP' ? [] : backendGroup(address, target === 'compose')
  return text(
    ['# Production. Security fields are set once, in the server: no location has add_header of its own.'],
    [
      'user nginx;',
      'worker_processes auto;',
      'worker_rlimit_nofile 65536;',
      'worker_shutdown_timeout 30s;',
      'error_log /var/log/nginx/error.log warn;',
      'pid /run/nginx.pid;',
    ],
    block('events', ['worker_connections 4096;']),
    block(
      'http',
      ['include mime.types;', 'include http.conf;', 'default_type application/octet-stream;', 'server_tokens off;'],
      ['access_log /var/log/nginx/access.log timed;'],
      [
        'sendfile on;',
        'tcp_nopush on;',
        'keepalive_timeout 65s;',
        `client_max_body_size ${uploadLimit};`,
        'client_header_timeout 15s;',
        'client_body_timeout 15s;',
      ],
      [
        'gzip on;',
        'gzip_vary on;',
        'gzip_proxied any;',
        'gzip_min_length 256;',
        'gzip_types text/css text/plain text/xml application/javascript application/json image/svg+xml;',
      ],
      // Containers get new addresses: names are asked for anew.
      target === 'compose' && backend !== undefined ? ['resolver 127.0.0.11 valid=10s;'] : [],
      group,
      ...(domain === undefined ? [] : [redirectServer(domain)]),
      block('server', ...serverLines(domain), ...prodLocations(project, address)),
    ),
  )
}

function redirectServer(domain: string): string[] {
  return block(
    'server',
    ['listen 80 default_server;', `server_name ${domain};`],
    [...HEALTH],
    block('location /', [`return 301 https://${domain}$request_uri;`]),
  )
}

const HEALTH: Lines = block('location = /health', [
  'access_log off;',
  'default_type text/plain;',
  'return 200 "ok\\n";',
])

function serverLines(domain: string | undefined): Lines[] {
  const fields = [
    'add_header X-Content-Type-Options nosniff always;',
    'add_header X-Frame-Options SAMEORIGIN always;',
    'add_header Referrer-Policy strict-origin-when-cross-origin always;',
    'add_header Permissions-Policy "geolocation=(), microphone=(), camera=()" always;',
    '# Tell browsers from where scripts may come, once you know: Content-Security-Policy-Report-Only shows what would break.',
    "add_header Content-Security-Policy \"frame-ancestors 'self'; base-uri 'self'; object-src 'none'\" always;",
  ]
  if (domain === undefined) return [['listen 80;', 'server_name _;'], fields]
  return [
    ['listen 443 ssl;', 'http2 on;', `server_name ${domain};`],
    [
      `ssl_certificate /etc/letsencrypt/live/${domain}/fullchain.pem; # lint: allow missing_file it is on the server`,
      `ssl_certificate_key /etc/letsencrypt/live/${domain}/privkey.pem; # lint: allow missing_file it is on the server`,
      'ssl_protocols TLSv1.2 TLSv1.3;',
      'ssl_session_cache shared:tls:10m;',
      'ssl_session_timeout 1d;',
    ],
    ['add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;', ...fields],
  ]
}

function prodLocations({ backend, frontend }: Project, address: string): Lines[] {
  if (backend?.kind === 'PHP') return [...phpLocations(HTML, address), [...HEALTH]]
  const hidden = ['# .git, .env and the like.', ...block('location ~ /\\.(?!well-known/)', ['return 404;'])]
  if (frontend === undefined) {
    return [
      block(
        'location /',
        passTo(
          'backend',
          backend?.kind === 'Next'
            ? ['proxy_read_timeout 1h;']
            : ['limit_req zone=api burst=40 nodelay;', 'proxy_read_timeout 1h;'],
        ),
      ),
      [...HEALTH],
    ]
  }
  const fallback = frontend.kind === 'Vite' ? 'try_files $uri /index.html;' : 'try_files $uri $uri/ =404;'
  return [
    [`root ${HTML};`, 'index index.html;'],
    ...(backend === undefined ? [] : apiLocations(backend.kind, true)),
    ...(frontend.kind === 'Vite'
      ? [
          [
            '# Names with a hash in them: what is in them never changes.',
            ...block('location /assets/', ['expires 1y;', 'access_log off;']),
          ],
        ]
      : []),
    [
      '# Asked for again each time, so that a new version shows at once.',
      ...block('location /', [fallback, 'expires -1;']),
    ],
    hidden,
    [...HEALTH],
  ]
}

/** Where the back end is asked, beside pages. */
function apiLocations(kind: string, isLimited: boolean): Lines[] {
  const limit = isLimited ? ['limit_req zone=api burst=40 nodelay;'] : []
  const paths = kind === 'Django' ? ['/api/', '/admin/', '/static/'] : ['/api/']
  return [
    ...paths.map((path) => block(`location ${path}`, passTo('backend', path === '/static/' ? [] : limit))),
    [
      '# WebSockets may be silent for long; a response in pieces is passed on at once.',
      ...block('location /ws/', passTo('backend', ['proxy_read_timeout 1h;', 'proxy_buffering off;'])),
    ],
  ]
}

function passTo(group: string, more: Lines): string[] {
  return [`proxy_pass http://${group};`, ...more]
}

function backendGroup(address: string | undefined, resolve = false): string[] {
  if (address === undefined) return []
  return block(
    'upstream backend',
    resolve
      ? ['zone backend 64k;', `server ${address} resolve;`, 'keepalive 32;']
      : [`server ${address};`, 'keepalive 32;'],
  )
}

function frontendGroup(): string[] {
  return ['', ...block('upstream frontend', [`server 127.0.0.1:${VITE_PORT};`])]
}

function publicFolder(folder: string): string {
  return folder === '.' ? 'public' : `${folder}/public`
}

function phpLocations(root: string, address: string): Lines[] {
  return [
    [`root ${root};`, 'index index.php index.html;'],
    block('location /', ['try_files $uri $uri/ /index.php$is_args$args;']),
    block('location ~ \\.php$', [
      '# Only scripts that are there.',
      'try_files $uri =404;',
      'include fastcgi_params;',
      'fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;',
      `fastcgi_pass ${address};`,
    ]),
    ['# .git, .env and the like.', ...block('location ~ /\\.(?!well-known/)', ['return 404;'])],
  ]
}
