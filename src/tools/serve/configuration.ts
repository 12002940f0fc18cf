/** The nginx.conf that `viaduct serve` runs: nothing in it that one would not write by hand. */

/** A path that goes to a back end. */
export interface BackEnd {
  readonly path: string
  readonly target: string
}

/** What is asked for. */
export interface ServeOptions {
  readonly folder: string
  /** Addresses and port as `listen` takes them. */
  readonly listens: readonly string[]
  readonly spa: boolean
  /** Folders without an index are listed. */
  readonly listing: boolean
  readonly proxies: readonly BackEnd[]
  readonly uploadLimit: string
  readonly certificate: { readonly certificate: string; readonly key: string } | undefined
  /** Workers that root starts run as root: the folder is the user's own. */
  readonly root: boolean
  /** Where requests are logged. */
  readonly accessLog: string
  /** As an object of JSON in each line. */
  readonly json: boolean
}

/** Returns the text. */
export function configurationText(options: ServeOptions): string {
  const { listens, folder, certificate, root, uploadLimit } = options
  const tls = certificate === undefined ? '' : ' ssl'
  return `${[
    '# The folder and the back ends that `viaduct serve` was asked for.',
    'daemon off;',
    ...(root ? ['user root;'] : []),
    'worker_processes 1;',
    'error_log stderr warn;',
    'pid viaduct.pid;',
    '',
    'events {}',
    '',
    'http {',
    ...indented([
      'include mime.types;',
      'default_type application/octet-stream;',
      'charset utf-8;',
      'charset_types text/css text/plain text/xml application/javascript application/json;',
      'server_tokens off;',
      '',
      ...logLines(options),
      '',
      'gzip on;',
      'gzip_types text/css text/plain text/xml application/javascript application/json image/svg+xml;',
      ...(options.proxies.length > 0 ? ['', ...UPGRADE_MAP] : []),
      '',
      'server {',
      ...indented([
        ...listens.map((listen) => `listen ${listen}${tls};`),
        ...(certificate === undefined ? [] : tlsLines(certificate)),
        '',
        `root ${quoted(folder)};`,
        'index index.html;',
        `client_max_body_size ${uploadLimit};`,
        ...options.proxies.flatMap((proxy) => ['', ...proxyLines(proxy)]),
        ...folderLines(options),
        '',
        "# Files whose names begin with a dot are nobody else's affair (.git, .env).",
        'location ~ /\\.(?!well-known/) {',
        '    return 404;',
        '}',
      ]),
      '}',
    ]),
    '}',
  ].join('\n')}\n`
}

function logLines({ accessLog, json }: ServeOptions): string[] {
  if (accessLog === 'off') return ['access_log off;']
  if (!json)
    return [
      "log_format short '$time_local $status $request_method $request_uri $request_time';",
      `access_log ${accessLog} short;`,
    ]
  return [
    'json_log_format short time=$time_iso8601 status:number=$status method=$request_method uri=$request_uri',
    '                seconds:number=$request_time bytes:number=$body_bytes_sent;',
    'access_log off;',
    `json_log ${accessLog} short;`,
  ]
}

const UPGRADE_MAP = [
  '# WebSockets ask for an upgrade, other requests leave the connection as it is.',
  'map $http_upgrade $connection_upgrade {',
  '    default upgrade;',
  "    ''      '';",
  '}',
]

function tlsLines({ certificate, key }: NonNullable<ServeOptions['certificate']>): string[] {
  return ['http2 on;', `ssl_certificate ${quoted(certificate)};`, `ssl_certificate_key ${quoted(key)};`]
}

function proxyLines({ path, target }: BackEnd): string[] {
  return [
    `location ^~ ${quoted(path)} {`,
    ...indented([
      `proxy_pass ${quoted(target)};`,
      'proxy_set_header Host $host:$server_port;',
      'proxy_set_header X-Real-IP $remote_addr;',
      'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
      'proxy_set_header X-Forwarded-Proto $scheme;',
      'proxy_set_header Upgrade $http_upgrade;',
      'proxy_set_header Connection $connection_upgrade;',
      'proxy_read_timeout 1h;',
      ...(target.startsWith('https:') ? ['proxy_ssl_server_name on;'] : []),
    ]),
    '}',
  ]
}

function folderLines({ spa, listing, proxies }: ServeOptions): string[] {
  if (proxies.some(({ path }) => path === '/')) return []
  return [
    '',
    'location / {',
    ...indented([
      ...(spa
        ? ['# Paths of the application are its own: it gets them all.', 'try_files $uri /index.html;']
        : ['try_files $uri $uri/ $uri.html =404;']),
      ...(listing ? ['autoindex on;'] : []),
      '# Browsers ask again each time: what was changed is seen.',
      'add_header Cache-Control no-cache;',
    ]),
    '}',
  ]
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `    ${line}`))
}

/** A word of a configuration. */
function quoted(text: string): string {
  return /^[\w./:@%+,~-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
