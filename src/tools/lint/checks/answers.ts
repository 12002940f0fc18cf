/** Answers that shadow others: returns, redirects, error pages, ports without TLS, PHP. */

import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { GATEWAYS, headOf, targetIn, withoutPort } from '../facts.ts'

const PASSES: readonly string[] = [
  ...GATEWAYS.map((name) => `${name}_pass`),
  'root',
  'alias',
  'try_files',
  'stub_status',
]

function httpServers(model: Model): Node[] {
  return model.all('server').filter(({ opens }) => opens === 'server')
}

function isTls(listen: Node): boolean {
  return listen.words.includes('ssl') || listen.words.includes('quic')
}

export const answerChecks: readonly Check[] = [
  {
    id: 'redirect_loop',
    level: 'high',
    title: 'a redirect to itself',
    why: 'A server that takes HTTP and HTTPS and redirects everything to HTTPS redirects HTTPS, too: browsers give up.',
    advice: 'Redirect in a server of its own that listens on port 80 alone.',
    bad: 'server { listen 80; listen 443 ssl; server_name a.example; return 301 https://$host$request_uri; }',
    good: 'server { listen 80; server_name a.example; return 301 https://$host$request_uri; } server { listen 443 ssl; server_name a.example; }',
    find(model, report) {
      for (const server of httpServers(model)) {
        const node = server.own('return')[0]
        const target = targetIn(node?.words.at(-1) ?? '')
        if (node === undefined || target?.scheme !== 'https' || !server.own('listen').some(isTls)) continue
        const names = server.own('server_name').flatMap(({ words }) => words)
        const isSame =
          /^\$\{?(?:host|http_host|server_name)\}?$/.test(withoutPort(target.host)) || names.includes(target.host)
        if (isSame) report(node, 'requests over TLS are redirected to where they are')
      }
    },
  },
  {
    id: 'dead_locations',
    level: 'medium',
    title: 'locations behind a return for everything',
    why: 'A return in the server answers before a location is looked for.',
    advice: 'Put the return into a location: `location / { return ...; }`.',
    bad: 'server { listen 80; return 301 https://a.example$request_uri; location /.well-known/acme-challenge/ { root /srv/acme; } }',
    good: 'server { listen 80; location / { return 301 https://a.example$request_uri; } location /.well-known/acme-challenge/ { root /srv/acme; } }',
    find(model, report) {
      for (const server of httpServers(model)) {
        const node = server.own('return')[0]
        // Pages for errors come with snippets that every server includes.
        const location = server.own('location').find((one) => headOf(one)?.kind !== 'named' && !one.has('internal'))
        if (node !== undefined && location !== undefined)
          report(location, `"${node.text}" in line ${node.at.line} answers before`)
      }
    },
  },
  {
    id: 'return_shadows_handler',
    level: 'medium',
    title: 'a return beside what would answer',
    why: 'return answers at once: the back end or the files beside it are never asked.',
    advice: 'Remove one of both.',
    bad: 'location / { return 200 ok; proxy_pass http://127.0.0.1:1; }',
    good: 'location / { proxy_pass http://127.0.0.1:1; }',
    find(model, report) {
      for (const node of model.all('return')) {
        const other = node.parent!.children.find(
          ({ name }) => PASSES.includes(name) && name !== 'root' && name !== 'alias',
        )
        if (node.parent!.name === 'location' && other !== undefined)
          report(other, `"${node.text}" in line ${node.at.line} answers before`)
      }
    },
  },
  {
    id: 'https_port_without_ssl',
    level: 'medium',
    title: 'port 443 without TLS',
    why: 'Without "ssl" the port takes plain HTTP: browsers that speak TLS to it get an error.',
    advice: 'Say `listen 443 ssl;`.',
    bad: 'server { listen 443; server_name a.example; }',
    good: 'server { listen 443 ssl; server_name a.example; }',
    find(model, report) {
      if (model.torn) return
      for (const node of model.all('listen').filter(({ context }) => context === 'server')) {
        if (!/(?:^|:)443$/.test(node.first) || isTls(node) || node.words.includes('proxy_protocol')) continue
        report(node, 'it takes HTTP without TLS', {
          fix: { what: 'add "ssl"', edits: [{ kind: 'words', node, text: ' ssl' }] },
        })
      }
    },
  },
  {
    id: 'error_page_masks_status',
    level: 'low',
    title: 'an error that is told as success',
    why: '`=200` makes what is missing look as if it were there: to monitors, caches and search engines.',
    advice: 'For an application with paths of its own, `try_files $uri /index.html` says what is meant.',
    bad: 'server { error_page 404 =200 /index.html; }',
    good: 'server { location / { try_files $uri /index.html; } }',
    find(model, report) {
      for (const node of model.all('error_page')) {
        const word = node.args.find(({ text }) => text === '=200')
        const target = node.words.at(-1) ?? ''
        if (word !== undefined && !target.startsWith('@')) report(node, 'errors are answered 200', { word })
      }
    },
  },
  {
    id: 'cache_without_zone',
    level: 'low',
    title: 'rules for a cache that is not there',
    why: 'proxy_cache_valid and its kin do nothing where proxy_cache names no zone.',
    advice: 'Say `proxy_cache ZONE;`, or remove the rules.',
    bad: 'events {} http { server { listen 80; location / { proxy_pass http://127.0.0.1:1; proxy_cache_valid 200 1h; } } }',
    good: 'events {} http { proxy_cache_path /tmp/c keys_zone=c:1m; server { listen 80; location / { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_valid 200 1h; } } }',
    find(model, report) {
      if (!model.complete) return
      for (const prefix of ['proxy', 'fastcgi', 'uwsgi', 'scgi']) {
        for (const node of model.all(`${prefix}_cache_valid`, `${prefix}_cache_bypass`, `${prefix}_no_cache`)) {
          const inside = node.parent!.inside().some(({ name }) => name === `${prefix}_cache`)
          // WebSocket guides put `proxy_cache_bypass $http_upgrade` everywhere, where it does no harm.
          if (node.first === '$http_upgrade' || inside || model.effective(node.parent!, `${prefix}_cache`).length > 0)
            continue
          report(node, `nothing is cached here (${prefix}_cache)`)
        }
      }
    },
  },
  {
    id: 'php_path_info_lost',
    level: 'medium',
    title: 'PATH_INFO is always empty',
    why: 'try_files changes the URI, and with it $fastcgi_path_info: what stood behind the script is gone before it is sent.',
    advice: 'Keep it first: `set $path_info $fastcgi_path_info;`, and send that.',
    bad: 'location ~ \\.php { fastcgi_split_path_info ^(.+\\.php)(/.+)$; try_files $fastcgi_script_name =404; fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_param PATH_INFO $fastcgi_path_info; }',
    good: 'location ~ \\.php { fastcgi_split_path_info ^(.+\\.php)(/.+)$; try_files $fastcgi_script_name =404; set $path_info $fastcgi_path_info; fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_param PATH_INFO $path_info; }',
    find(model, report) {
      for (const node of model.all('fastcgi_param')) {
        if (node.first !== 'PATH_INFO' || !/^\$\{?fastcgi_path_info\}?$/.test(node.words[1] ?? '')) continue
        if (node.parent!.has('try_files') && node.parent!.has('fastcgi_split_path_info'))
          report(node, 'try_files has emptied it', { word: node.args[1] })
      }
    },
  },
  {
    id: 'php_runs_any_path',
    level: 'low',
    title: 'PHP is asked for scripts that are not there',
    why: '`/upload/x.jpg/a.php` is passed on, and PHP (cgi.fix_pathinfo) may run the picture.',
    advice: 'Check first: `try_files $uri =404;` (with path info: `try_files $fastcgi_script_name =404;`).',
    bad: 'location ~ \\.php$ { fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }',
    good: 'location ~ \\.php$ { try_files $uri =404; fastcgi_pass 127.0.0.1:9000; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }',
    find(model, report) {
      if (model.torn) return
      for (const node of model.all('fastcgi_pass')) {
        const location = node.parent!
        const isPattern = headOf(location)?.kind === 'regex' && /\\\.php/.test(location.words.at(-1) ?? '')
        if (isPattern && model.effective(location, 'try_files').length === 0 && !location.has('if'))
          report(node, 'nothing checks that the script is there')
      }
    },
  },
  {
    id: 'proxy_host_not_passed',
    level: 'info',
    title: 'the back end does not learn the host',
    why: 'Host is by default what stands in proxy_pass, such as the name of the group: links and redirects of the application go there.',
    advice: 'Say `proxy_set_header Host $host;`.',
    bad: 'upstream app { server 127.0.0.1:1; } server { location / { proxy_pass http://app; } }',
    good: 'upstream app { server 127.0.0.1:1; } server { location / { proxy_pass http://app; proxy_set_header Host $host; } }',
    find(model, report) {
      if (model.torn) return
      const groups = new Set(model.all('upstream').map(({ first }) => first))
      for (const node of model.all('proxy_pass')) {
        const host = targetIn(node.first)?.host ?? ''
        const isSet = model.effective(node.parent!, 'proxy_set_header').some(({ first }) => /^host$/i.test(first))
        if (groups.has(host) && !isSet) report(node, `Host is "${host}" for the back end`, { word: node.args[0] })
      }
    },
  },
  {
    id: 'forwarded_for_from_client',
    level: 'medium',
    title: 'the client says its own address',
    why: 'A field that is passed on as it came says whatever the client wants; the application takes it for the address.',
    advice: 'Use $proxy_add_x_forwarded_for, and $remote_addr for X-Real-IP.',
    bad: 'location / { proxy_pass http://127.0.0.1:1; proxy_set_header X-Real-IP $http_x_real_ip; }',
    good: 'location / { proxy_pass http://127.0.0.1:1; proxy_set_header X-Real-IP $remote_addr; }',
    find(model, report) {
      for (const node of model.all('proxy_set_header', 'grpc_set_header', 'fastcgi_param', 'uwsgi_param')) {
        const word = node.args[1]
        if (!/^(?:x-real-ip|x-forwarded-for|remote_addr|http_x_real_ip)$/i.test(node.first) || word === undefined)
          continue
        if (!/^\$\{?http_(?:x_real_ip|x_forwarded_for)\}?$/i.test(word.text)) continue
        const text = /forwarded/i.test(node.first) ? '$proxy_add_x_forwarded_for' : '$remote_addr'
        report(node, 'the value is the one that the client has sent', {
          word,
          fix: { what: `use ${text}`, edits: [{ kind: 'replace', word, text }] },
        })
      }
    },
  },
  {
    id: 'real_ip_recursive_off',
    level: 'low',
    title: 'of several proxies in a row only the last is looked through',
    why: 'With real_ip_recursive off the address is the last one in X-Forwarded-For, which is a proxy of your own when there are two.',
    advice: 'Say `real_ip_recursive on;`.',
    bad: 'server { set_real_ip_from 10.0.0.0/8; set_real_ip_from 192.0.2.0/24; real_ip_header X-Forwarded-For; }',
    good: 'server { set_real_ip_from 10.0.0.0/8; set_real_ip_from 192.0.2.0/24; real_ip_header X-Forwarded-For; real_ip_recursive on; }',
    find(model, report) {
      for (const node of model.all('real_ip_header')) {
        const block = node.parent!
        if (!/^x-forwarded-for$/i.test(node.first) || model.effective(block, 'real_ip_recursive').length > 0) continue
        // The addresses of one CDN are many networks of the same proxies.
        const networks = model.effective(block, 'set_real_ip_from').length
        if (networks < 2 || networks > 4) continue
        report(node, 'two proxies in a row make the address that of the first of them', {
          fix: { what: 'add "real_ip_recursive on"', edits: [{ kind: 'line', node, text: 'real_ip_recursive on;' }] },
        })
      }
    },
  },
  {
    id: 'event_stream_buffered',
    level: 'info',
    title: 'server-sent events in a buffer',
    why: 'Buffered events come late, in heaps; the application can say so itself (X-Accel-Buffering: no).',
    advice: 'Say `proxy_buffering off;` for the location.',
    bad: 'location /events { proxy_pass http://127.0.0.1:1; }',
    good: 'location /events { proxy_pass http://127.0.0.1:1; proxy_buffering off; }',
    find(model, report) {
      if (model.torn) return
      for (const node of model.all('proxy_pass')) {
        const name = headOf(node.parent!)?.name ?? ''
        if (!/(?:^|\/)(?:events?|sse|stream|event-stream)\/?$/i.test(name)) continue
        if (model.setting(node.parent!, 'proxy_buffering') !== 'off')
          report(node, 'events are held until a buffer is full')
      }
    },
  },
  {
    id: 'limit_req_delays',
    level: 'info',
    title: 'a burst that is slowed down',
    why: 'Without nodelay, the requests of a burst wait until their turn comes at the rate: a page with 20 files at 10r/s takes two seconds.',
    advice: 'Add nodelay (or delay=N).',
    bad: 'limit_req_zone $binary_remote_addr zone=a:1m rate=10r/s; server { location / { limit_req zone=a burst=20; } }',
    good: 'limit_req_zone $binary_remote_addr zone=a:1m rate=10r/s; server { location / { limit_req zone=a burst=20 nodelay; } }',
    find(model, report) {
      for (const node of model.all('limit_req')) {
        if (
          node.words.some((word) => word.startsWith('burst=')) &&
          !node.words.some((word) => /^(?:nodelay|delay=)/.test(word))
        ) {
          report(node, 'requests of the burst wait', {
            fix: { what: 'add "nodelay"', edits: [{ kind: 'words', node, text: ' nodelay' }] },
          })
        }
      }
    },
  },
]
