/** Ways to back ends: addresses, names, URIs, fields, protocols. */
import { suggest } from '../../../config/suggest.ts'
import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { GATEWAYS, headOf, isAddress, targetIn, variablesIn, withoutPort } from '../facts.ts'

function upstreamNames(model: Model): Set<string> {
  return new Set(model.all('upstream').map(({ first }) => first.toLowerCase()))
}

function field(model: Model, place: Node, name: string): Node | undefined {
  return model.effective(place, 'proxy_set_header').find(({ first }) => first.toLowerCase() === name)
}

/** The places that pass requests on over HTTP. */
function proxied(model: Model): Node[] {
  return model.all('proxy_pass').filter(({ context }) => !context.startsWith('stream'))
}

export const proxyChecks: readonly Check[] = [
  {
    id: 'alias_traversal',
    level: 'high',
    title: 'a location without slash and an alias with one',
    why: '`/files../secret` fits the location and becomes `/data/files/../secret`: files beside the folder can be read.',
    advice: 'End both with a slash, or neither.',
    bad: 'location /files { alias /data/files/; }',
    good: 'location /files/ { alias /data/files/; }',
    find(model, report) {
      for (const node of model.all('alias')) {
        const head = headOf(node.parent!)
        if (head === undefined || !['prefix', 'noregex'].includes(head.kind)) continue
        if (head.name.endsWith('/')) continue
        if (!node.first.endsWith('/')) {
          // One file is meant.
          const isFile = /\.\w+$/.test(head.name) || node.first.includes('$')
          if (!isFile)
            report(node.parent, `"${head.name}x" reads ${node.first}x, beside the folder`, {
              level: 'low',
              word: node.parent!.args.at(-1),
            })
          continue
        }
        const word = node.parent!.args.at(-1)!
        report(node.parent, `"${head.name}../x" leads out of ${node.first}`, {
          word,
          fix: { what: 'end the location with a slash', edits: [{ kind: 'replace', word, text: `${word.text}/` }] },
        })
      }
    },
  },
  {
    id: 'proxy_pass_off_by_slash',
    level: 'medium',
    title: 'a location without slash and a proxy_pass that ends with one',
    why: '`/api../x` fits the location and becomes `/../x` for the back end, and `/apix` becomes `/x`.',
    advice: 'End the location with a slash (a request without it is redirected).',
    bad: 'location /api { proxy_pass http://127.0.0.1:1/; }',
    good: 'location /api/ { proxy_pass http://127.0.0.1:1/; }',
    find(model, report) {
      for (const node of proxied(model)) {
        const head = headOf(node.parent!)
        const uri = targetIn(node.first)?.uri
        if (head === undefined || !['prefix', 'noregex'].includes(head.kind) || head.name.endsWith('/')) continue
        if (uri?.endsWith('/') !== true || node.first.includes('$')) continue
        const word = node.parent!.args.at(-1)!
        report(node.parent, `"${head.name}../x" becomes "${uri}../x" for the back end`, { word })
      }
    },
  },
  {
    id: 'proxy_pass_lost_slash',
    level: 'medium',
    title: 'a location with a slash at its end and a proxy_pass path without one',
    why: 'The location is replaced by the path: `/api/users` becomes `/v1users`.',
    advice: 'End both with a slash, or neither.',
    bad: 'location /api/ { proxy_pass http://127.0.0.1:1/v1; }',
    good: 'location /api/ { proxy_pass http://127.0.0.1:1/v1/; }',
    find(model, report) {
      for (const node of proxied(model)) {
        const head = headOf(node.parent!)
        const uri = targetIn(node.first)?.uri ?? ''
        if (head === undefined || !['prefix', 'noregex'].includes(head.kind) || !head.name.endsWith('/')) continue
        if (uri === '' || uri.endsWith('/') || /[$?=]/.test(node.first)) continue
        const word = node.args[0]!
        report(node, `"${head.name}x" becomes "${uri}x"`, {
          word,
          fix: { what: 'end the path with a slash', edits: [{ kind: 'replace', word, text: `${word.text}/` }] },
        })
      }
    },
  },
  {
    id: 'proxy_pass_fixed_uri',
    level: 'medium',
    title: 'every request is sent to the same URI',
    why: 'With a variable in it, a proxy_pass that has a path sends that path and nothing of the request: the location is not replaced.',
    advice:
      'Leave the path out (the request goes as it is, also after rewrite), or write `$request_uri` after the host.',
    bad: 'location /app/ { set $host_name app.local; proxy_pass http://$host_name/; }',
    good: 'location /app/ { set $host_name app.local; rewrite ^/app/(.*)$ /$1 break; proxy_pass http://$host_name; }',
    find(model, report) {
      for (const node of proxied(model)) {
        const target = targetIn(node.first)
        const kind = headOf(node.up('location') ?? node)?.kind
        if (target === undefined || target.uri === '' || target.uri.includes('$')) continue
        if (kind === 'exact' || kind === 'named' || variablesIn(target.host + target.scheme).length === 0) continue
        // The location is for that very path.
        if (
          target.uri !== '/' &&
          node.up('location')?.text.replaceAll('\\', '').includes(target.uri.replace(/\/$/, '')) === true
        )
          continue
        report(node, `every request is sent as "${target.uri}"`, { word: node.args[0] })
      }
    },
  },
  {
    id: 'proxy_pass_normalized',
    level: 'info',
    title: 'proxy_pass with a path sends the URI decoded and encoded anew',
    why: 'Double slashes, `%2F` and dots reach the back end changed, which some applications (and their access rules) do not expect.',
    advice: 'Where the URI must arrive as sent, leave the path out and let the application have the prefix.',
    bad: 'location /api/ { proxy_pass http://127.0.0.1:1/; }',
    good: 'location /api/ { proxy_pass http://127.0.0.1:1; }',
    find(model, report) {
      for (const node of proxied(model)) {
        const target = targetIn(node.first)
        if (target !== undefined && target.uri !== '' && !node.first.includes('$'))
          report(node, 'the back end sees the URI normalised', { word: node.args[0] })
      }
    },
  },
  {
    id: 'missing_resolver',
    level: 'medium',
    title: 'a name that is looked up per request, and nobody to ask',
    why: 'A proxy_pass with variables whose host is no upstream group is resolved while serving; without resolver nginx answers 502.',
    advice: 'Name a DNS server by resolver (127.0.0.11 in Docker).',
    bad: 'events {} http { server { listen 80; location / { set $app app.local; proxy_pass http://$app:80; } } }',
    good: 'events {} http { resolver 127.0.0.53; server { listen 80; location / { set $app app.local; proxy_pass http://$app:80; } } }',
    find(model, report) {
      if (!model.complete) return
      for (const node of proxied(model)) {
        const target = targetIn(node.first)
        if (target === undefined || model.effective(node.parent!, 'resolver').length > 0) continue
        const values = hostValues(model, node, withoutPort(target.host))
        const name = values.find(
          (value) => !isAddress(value) && !upstreamNames(model).has(withoutPort(value).toLowerCase()),
        )
        if (name !== undefined)
          report(node, `"${name}" is to be resolved while serving, and there is no resolver`, { word: node.args[0] })
      }
    },
  },
  {
    id: 'stale_dns_cache',
    level: 'info',
    title: 'a name that is looked up once',
    why: 'Names in proxy_pass and upstream are resolved when the configuration loads; a back end that moves is lost until a reload.',
    advice: 'Use `server NAME resolve;` in an upstream group with a resolver.',
    bad: 'location / { proxy_pass http://app.example.com; }',
    good: 'location / { proxy_pass http://127.0.0.1:8000; }',
    find(model, report) {
      const known = upstreamNames(model)
      for (const node of proxied(model)) {
        const host = withoutPort(targetIn(node.first)?.host ?? '')
        if (
          host === '' ||
          host.includes('$') ||
          isAddress(host) ||
          known.has(host.toLowerCase()) ||
          !host.includes('.')
        )
          continue
        report(node, `"${host}" is resolved once, when the configuration loads`, { word: node.args[0] })
      }
    },
  },
  {
    id: 'undefined_upstream',
    level: 'medium',
    title: 'a group that does not exist, with a name like one that does',
    why: 'What is no upstream group is taken for a host name.',
    advice: 'Correct the name.',
    bad: 'upstream backend { server 127.0.0.1:1; } server { location / { proxy_pass http://bakend; } }',
    good: 'upstream backend { server 127.0.0.1:1; } server { location / { proxy_pass http://backend; } }',
    find(model, report) {
      const known = upstreamNames(model)
      for (const node of model.all(...GATEWAYS.map((name) => `${name}_pass`))) {
        const { host } = targetIn(node.first) ?? { host: node.first }
        if (!/^[\w-]+$/.test(host) || known.has(host.toLowerCase()) || host === 'localhost') continue
        const near = suggest(host.toLowerCase(), known)
        const word = node.args[0]!
        if (near === undefined) continue
        const edits = [{ kind: 'replace', word, text: word.text.replace(host, near) }] as const
        report(node, `there is no upstream "${host}": did you mean "${near}"?`, {
          word,
          fix: { what: `use "${near}"`, edits },
        })
      }
    },
  },
  {
    id: 'proxy_ssl_without_sni',
    level: 'low',
    title: 'a TLS back end is not told which name is wanted',
    why: 'proxy_ssl_server_name is off by default: servers with several certificates answer with another one, or end the handshake.',
    advice: 'Say `proxy_ssl_server_name on`.',
    bad: 'location / { proxy_pass https://api.example.com; }',
    good: 'location / { proxy_pass https://api.example.com; proxy_ssl_server_name on; }',
    find(model, report) {
      if (model.torn) return
      for (const node of proxied(model)) {
        const target = targetIn(node.first)
        if (target?.scheme !== 'https' || isAddress(withoutPort(target.host))) continue
        if (model.setting(node.parent!, 'proxy_ssl_server_name') === 'on') continue
        report(node, 'the back end does not learn the name (SNI)', {
          word: node.args[0],
          fix: {
            what: 'add "proxy_ssl_server_name on"',
            edits: [{ kind: 'line', node, text: 'proxy_ssl_server_name on;' }],
          },
        })
      }
    },
  },
  {
    id: 'upgrade_without_connection',
    level: 'medium',
    title: 'Upgrade and Connection belong together',
    why: 'Upgrade is passed on only when Connection says so too: a WebSocket handshake fails with 400 or 426.',
    advice:
      'Send both: `proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;` with a map.',
    bad: 'location / { proxy_pass http://127.0.0.1:1; proxy_set_header Upgrade $http_upgrade; }',
    good: 'location / { proxy_pass http://127.0.0.1:1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }',
    find(model, report) {
      if (model.torn) return
      for (const node of proxied(model)) {
        const upgrade = field(model, node.parent!, 'upgrade')
        const connection = field(model, node.parent!, 'connection')
        if (upgrade !== undefined && connection === undefined) report(upgrade, 'Connection is not set: WebSockets fail')
        if (upgrade === undefined && /^"?upgrade"?$|connection_upgrade/i.test(connection?.words[1] ?? ''))
          report(connection, 'Upgrade is not set: WebSockets fail')
        if (upgrade !== undefined && model.setting(node.parent!, 'proxy_http_version') === '1.0') {
          report(upgrade, 'HTTP/1.0 (proxy_http_version) has no upgrades')
        }
      }
    },
  },
  {
    id: 'websocket_timeout',
    level: 'info',
    title: 'WebSockets are closed after a minute of silence',
    why: 'proxy_read_timeout (60s) also ends connections after an upgrade.',
    advice: 'Set a longer proxy_read_timeout there, or let the application send pings.',
    bad: 'location /ws { proxy_pass http://127.0.0.1:1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }',
    good: 'location /ws { proxy_pass http://127.0.0.1:1; proxy_read_timeout 1h; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }',
    find(model, report) {
      if (model.torn) return
      for (const node of proxied(model)) {
        const isUpgrading = node.parent!.own('proxy_set_header').some(({ first }) => /^upgrade$/i.test(first))
        if (isUpgrading && model.effective(node.parent!, 'proxy_read_timeout').length === 0)
          report(node, 'a WebSocket that is silent for 60 s is closed')
      }
    },
  },
  {
    id: 'upstream_keepalive_defeated',
    level: 'low',
    title: 'keepalive, and a field that closes every connection',
    why: 'A Connection field of "close" or "upgrade" for all requests ends each connection, so that the group keeps none.',
    advice: 'Send `Connection ""`, or a map that says "upgrade" only when the client does.',
    bad: 'upstream app { server 127.0.0.1:1; keepalive 16; } server { location / { proxy_pass http://app; proxy_set_header Connection "close"; } }',
    good: 'upstream app { server 127.0.0.1:1; keepalive 16; } server { location / { proxy_pass http://app; proxy_set_header Connection ""; } }',
    find(model, report) {
      const kept = new Set(
        model
          .all('upstream')
          .filter((group) => group.has('keepalive'))
          .map(({ first }) => first),
      )
      for (const node of proxied(model)) {
        if (!kept.has(targetIn(node.first)?.host ?? '')) continue
        const connection = field(model, node.parent!, 'connection')
        if (/^(?:close|upgrade)$/i.test(connection?.words[1] ?? ''))
          report(connection, `no connection to "${targetIn(node.first)!.host}" is kept`)
        else if (model.setting(node.parent!, 'proxy_http_version') === '1.0')
          report(node, 'HTTP/1.0 (proxy_http_version) closes every connection')
      }
    },
  },
  {
    id: 'proxy_buffering_off',
    level: 'low',
    title: 'buffering is off for everything',
    why: 'Each slow client then holds a connection of the back end for as long as it reads.',
    advice: 'Switch it off in the locations that stream (or let the application send X-Accel-Buffering: no).',
    bad: 'server { proxy_buffering off; location / { proxy_pass http://127.0.0.1:1; } }',
    good: 'server { location /events { proxy_buffering off; proxy_pass http://127.0.0.1:1; } }',
    find(model, report) {
      for (const node of model.all('proxy_buffering', 'fastcgi_buffering', 'uwsgi_buffering')) {
        if (node.first === 'off' && node.parent!.name !== 'location' && node.parent!.name !== 'if')
          report(node, 'slow clients hold connections of the back end')
      }
    },
  },
  {
    id: 'error_page_not_intercepted',
    level: 'low',
    title: 'an error page that responses of the back end never get',
    why: 'error_page is for errors of the server itself; a 404 of the back end passes as it is, unless it is intercepted.',
    advice: 'Say `proxy_intercept_errors on`, or leave the line out.',
    bad: 'location / { proxy_pass http://127.0.0.1:1; error_page 404 /404.html; }',
    good: 'location / { proxy_pass http://127.0.0.1:1; proxy_intercept_errors on; error_page 404 /404.html; }',
    find(model, report) {
      for (const node of model.all('error_page')) {
        const gateway = GATEWAYS.find((name) => node.parent!.has(`${name}_pass`))
        if (gateway === undefined || model.setting(node.parent!, `${gateway}_intercept_errors`) === 'on') continue
        if (node.words.includes('404') && model.missing.length === 0)
          report(node, `a 404 of the back end is not replaced (${gateway}_intercept_errors is off)`)
      }
    },
  },
  {
    id: 'try_files_with_proxy',
    level: 'medium',
    title: 'try_files and a way to the back end in one place',
    why: 'When try_files finds a file, the request still goes to the back end, with that file as URI: the file itself is not sent.',
    advice: 'Put the back end into a named location: `try_files $uri @app;`.',
    bad: 'location / { try_files $uri $uri/ /index.html; proxy_pass http://127.0.0.1:1; }',
    good: 'server { location / { try_files $uri @app; } location @app { proxy_pass http://127.0.0.1:1; } }',
    find(model, report) {
      for (const node of model.all('try_files')) {
        const handler = node.parent!.own('proxy_pass', 'grpc_pass', 'uwsgi_pass')[0]
        // A check that a script exists is the rule for FastCGI.
        if (handler !== undefined) report(node, `what it finds is sent to "${handler.first}", not to the client`)
      }
    },
  },
  {
    id: 'fastcgi_script_filename_missing',
    level: 'medium',
    title: 'PHP is not told which file to run',
    why: 'Without SCRIPT_FILENAME, php-fpm answers "Primary script unknown" or an empty page. fastcgi_params does not have it; fastcgi.conf does.',
    advice: 'Add `fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;`, or include fastcgi.conf.',
    bad: 'location ~ \\.php$ { fastcgi_pass 127.0.0.1:9000; fastcgi_param QUERY_STRING $query_string; }',
    good: 'location ~ \\.php$ { fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }',
    find(model, report) {
      if (model.torn) return
      for (const node of model.all('fastcgi_pass')) {
        const isPhp = /php/i.test(node.first + (node.up('location')?.text ?? ''))
        const list = model.effective(node.parent!, 'fastcgi_param')
        if (isPhp && !list.some(({ first }) => first === 'SCRIPT_FILENAME')) report(node, 'SCRIPT_FILENAME is not sent')
      }
    },
  },
  {
    id: 'fastcgi_alias_document_root',
    level: 'medium',
    title: 'alias and $document_root$fastcgi_script_name',
    why: 'With alias, $fastcgi_script_name still has the location in it: php-fpm looks for a file that does not exist.',
    advice: 'Use $request_filename for SCRIPT_FILENAME.',
    bad: 'location ~ ^/app/(.+\\.php)$ { alias /srv/app/$1; fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }',
    good: 'location ~ ^/app/(.+\\.php)$ { alias /srv/app/$1; fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $request_filename; }',
    find(model, report) {
      for (const node of model.all('fastcgi_pass')) {
        if (model.effective(node.parent!, 'alias').length === 0) continue
        const file = model.effective(node.parent!, 'fastcgi_param').find(({ first }) => first === 'SCRIPT_FILENAME')
        const word = file?.args[1]
        if (word === undefined || !/^\$(?:document|realpath)_root\$fastcgi_script_name$/.test(word.text)) continue
        report(file, 'with alias this is not the path of the file', {
          word,
          fix: { what: 'use $request_filename', edits: [{ kind: 'replace', word, text: '$request_filename' }] },
        })
      }
    },
  },
]

/** What a host with variables may be, as far as `set` and `map` tell. */
function hostValues(model: Model, node: Node, host: string): string[] {
  const [name, ...more] = variablesIn(host)
  if (name === undefined || more.length > 0 || !/^\$\{?\w+\}?$/.test(host)) return []
  const sets = model
    .all('set')
    .filter(({ first, parent }) => first.toLowerCase() === `$${name}` && parent!.up('server') === node.up('server'))
  const values = sets.map(({ words }) => words[1] ?? '')
  return values.filter((value) => value !== '' && !value.includes('$'))
}
