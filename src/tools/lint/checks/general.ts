/** The program as such, and names: variables, zones, tables, what is defined and never used. */

import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { targetIn, variablesIn, withoutPort } from '../facts.ts'

/** Directives whose first words define variables. */
const DEFINES =
  /^(?:set|map|geo|split_clients|auth_request_set|geoip2?|auth_jwt_claim_set|auth_jwt_header_set|num_map|js_set|js_var|perl_set|secure_link_\w+|uwsgi_param|ssl_client_\w+|\$.*)$/

/** The variables that statements of the configuration make. */
function* defined(model: Model): Generator<{ readonly name: string; readonly node: Node }> {
  for (const node of model.all('map', 'num_map', 'split_clients')) {
    const name = node.words[1]
    if (name?.startsWith('$') === true) yield { name: name.slice(1), node }
  }
  for (const node of model.all('geo')) yield { name: (node.words.at(-1) ?? '').slice(1), node }
  for (const node of model.all('set', 'auth_request_set'))
    if (node.first.startsWith('$')) yield { name: node.first.slice(1), node }
}

function usedVariables(model: Model): Set<string> {
  const used = new Set<string>()
  for (const node of model.nodes) {
    for (const name of node.uses) used.add(name)
    const start = /^(?:set|auth_request_set)$/.test(node.name) ? 1 : 0
    for (const [i, word] of node.words.entries()) {
      if (i < start || !word.includes('$') || (node.name === 'map' && word === node.words[1])) continue
      for (const name of variablesIn(word)) used.add(name)
    }
    if (node.isEntry) for (const name of variablesIn(node.name)) used.add(name)
  }
  return used
}

/** Directives for which an empty value means that there is none: fields that are left out, requests that are not counted. */
const EMPTY_IS_NONE = /^(?:add_header|add_trailer|more_set_headers|proxy_set_header|limit_(?:req|conn)_zone)$/

/** What a table makes is only used where the empty text is what one wants of it. */
function meansNone(model: Model, table: Node): boolean {
  if (/^\$\{?sent_http_/.test(table.first)) return true
  const name = (table.words.at(-1) ?? '').slice(1).toLowerCase()
  const uses = model.nodes.filter((node) => node !== table && node.uses.includes(name))
  return uses.length > 0 && uses.every((node) => EMPTY_IS_NONE.test(node.name))
}

/** What of a text may be the name of a group. */
function addNames(text: string, names: Set<string>): void {
  if (names.has(text)) return
  names.add(text)
  if (/^[\w.-]*$/.test(text)) return
  names.add(withoutPort(targetIn(text)?.host ?? text))
  for (const part of text.split(/[^\w.-]+/)) names.add(part)
}

function zoneName(node: Node): string | undefined {
  return /(?:^|\s)(?:keys_zone|zone)=([^:\s]+)/.exec(node.words.join(' '))?.[1]
}

export const generalChecks: readonly Check[] = [
  {
    id: 'version_disclosure',
    level: 'low',
    title: 'the version is told',
    why: 'The Server field and error pages tell attackers which faults to try.',
    advice: 'Say `server_tokens off;`.',
    bad: 'events {} http { server { listen 80; server_tokens on; } }',
    good: 'events {} http { server_tokens off; server { listen 80; } }',
    find(model, report) {
      for (const node of model.all('server_tokens')) {
        const [word] = node.args
        if (!/^(?:on|build)$/.test(node.first)) continue
        report(node, 'Server and error pages tell the version', {
          word,
          fix: { what: 'say "off"', edits: [{ kind: 'replace', word: word!, text: 'off' }] },
        })
      }
      const [http] = model.all('http')
      if (model.complete && http !== undefined && model.all('server_tokens').length === 0)
        report(http, 'Server and error pages tell the version (server_tokens is on by default)', { level: 'info' })
    },
  },
  {
    id: 'error_log_off',
    level: 'medium',
    title: 'error_log off writes a file named "off"',
    why: 'error_log has no "off": the log goes to a file of that name beside the configuration.',
    advice: 'Write `error_log /dev/null crit;`.',
    bad: 'server { error_log off; }',
    good: 'server { error_log /dev/null crit; }',
    find(model, report) {
      for (const node of model.all('error_log')) {
        const [word] = node.args
        if (node.first !== 'off') continue
        report(node, 'the log is a file named "off"', {
          word,
          fix: { what: 'write to /dev/null', edits: [{ kind: 'replace', word: word!, text: '/dev/null crit' }] },
        })
      }
    },
  },
  {
    id: 'worker_rlimit_nofile_vs_connections',
    level: 'low',
    title: 'fewer descriptors than connections need',
    why: 'A proxied connection takes two descriptors; when they run out, clients wait.',
    advice: 'Set worker_rlimit_nofile to twice worker_connections or more.',
    bad: 'worker_rlimit_nofile 1024; events { worker_connections 1024; }',
    good: 'worker_rlimit_nofile 4096; events { worker_connections 1024; }',
    find(model, report) {
      const [limit] = model.all('worker_rlimit_nofile')
      const [connections] = model.all('worker_connections')
      if (limit === undefined || connections === undefined) return
      if (Number(limit.first) < 2 * Number(connections.first))
        report(limit, `worker_connections ${connections.first} may need ${2 * Number(connections.first)} descriptors`, {
          word: limit.args[0],
        })
    },
  },
  {
    id: 'missing_worker_processes',
    level: 'info',
    title: 'one worker',
    why: 'worker_processes is 1 by default: other processors stay idle.',
    advice: 'Say `worker_processes auto;`.',
    bad: 'events {} http { server { listen 80; } }',
    good: 'worker_processes auto; events {} http { server { listen 80; } }',
    find(model, report) {
      if (model.complete && model.all('http').length > 0 && model.all('worker_processes').length === 0)
        report(model.all('http')[0], 'there is one worker (worker_processes)')
    },
  },
  {
    id: 'low_keepalive_requests',
    level: 'low',
    title: 'connections are closed after few requests',
    why: 'Each new connection costs a handshake; HTTP/2 clients need hundreds of requests for one page.',
    advice: 'Leave the default of 1000, or more.',
    bad: 'server { keepalive_requests 100; }',
    good: 'server { keepalive_requests 1000; }',
    find(model, report) {
      for (const node of model.all('keepalive_requests')) {
        if (node.context !== 'upstream' && Number(node.first) < 1000)
          report(node, `a connection ends after ${node.first} requests`, { word: node.args[0] })
      }
    },
  },
  {
    id: 'resolver_external',
    level: 'low',
    title: 'names are asked of somebody far away',
    why: 'Answers of a public DNS server come unprotected over the network, and whoever forges them chooses your back end.',
    advice: 'Ask a resolver on this machine or in your network.',
    bad: 'server { resolver 8.8.8.8; }',
    good: 'server { resolver 127.0.0.53; }',
    find(model, report) {
      for (const node of model.all('resolver')) {
        const word = node.args.find(({ text }) =>
          /^(?:8\.8\.(?:8\.8|4\.4)|1\.(?:1\.1\.1|0\.0\.1)|9\.9\.9\.9|149\.112\.112\.112|208\.67\.22[02]\.22[02]|\[?2001:4860:4860::|\[?2606:4700:4700::|\[?2620:fe::)/.test(
            text,
          ),
        )
        if (word !== undefined) report(node, `"${word.text}" is a public server`, { word })
      }
    },
  },
  {
    id: 'hash_without_default',
    level: 'info',
    title: 'a table without a default',
    why: 'What is not in it becomes the empty string, which may let pass what was to be refused.',
    advice: 'Write down what the default is.',
    bad: 'map $host $site { a.example one; }',
    good: 'map $host $site { default none; a.example one; }',
    find(model, report) {
      for (const node of model.all('map', 'geo')) {
        if (node.children.some(({ name }) => name === 'default' || name === 'include') || node.children.length === 0)
          continue
        if (meansNone(model, node)) continue
        report(node, `what is not in the table makes ${node.words.at(-1)} empty`)
      }
    },
  },
  {
    id: 'mixed_case_variable',
    level: 'low',
    title: 'one variable, written in two ways',
    why: 'Names of variables have no case: $My_Var and $my_var are one, and setting one changes the other.',
    advice: 'Write it in one way.',
    bad: 'server { set $My_Var 1; location / { return 200 $my_var; } }',
    good: 'server { set $my_var 1; location / { return 200 $my_var; } }',
    find(model, report) {
      const spelled = new Map<string, string>()
      for (const { name, node } of defined(model)) {
        const key = name.toLowerCase()
        const before = spelled.get(key)
        if (before !== undefined && before !== name) report(node, `"$${name}" is the same variable as "$${before}"`)
        spelled.set(key, before ?? name)
      }
      for (const node of model.nodes) {
        if (node.uses.length === 0) continue
        for (const [, name] of node.words.join(' ').matchAll(/\$\{?([a-zA-Z_]\w*)/g)) {
          const before = spelled.get(name!.toLowerCase())
          if (before !== undefined && before !== name && node.uses.includes(name!.toLowerCase()))
            report(node, `"$${name}" is the variable "$${before}"`)
        }
      }
    },
  },
  {
    id: 'non_expanding_variable',
    level: 'medium',
    title: 'a variable where none is read',
    why: 'The directive takes its words as they are: the dollar sign and the name become part of the value.',
    advice: 'Look up the directive; often a map and another directive do it.',
    bad: 'server { client_header_timeout 60s; location / { index index.html; limit_except GET { allow 10.0.0.1; } types { } charset_map a b { } proxy_pass http://127.0.0.1:1; proxy_hide_header $arg_x; } }',
    good: 'server { location / { proxy_pass http://127.0.0.1:1; proxy_hide_header X-A; } }',
    find(model, report) {
      for (const node of model.nodes) {
        if (node.isEntry || node.directive === undefined || node.value === undefined || node.uses.length > 0) continue
        if (
          DEFINES.test(node.name) ||
          /regex|location|server_name|rewrite|if|log_format|include|env|resolver|match/.test(node.name)
        )
          continue
        const word = node.args.find(
          ({ text }) => !text.startsWith('~') && /\$(?:[a-z_]\w+|\{\w+\})/i.test(text) && !/[\\()|^]/.test(text),
        )
        if (word !== undefined)
          report(node, `"${node.name}" does not read variables: "${word.text}" stays as it is`, { word })
      }
    },
  },
  {
    id: 'unused_upstream',
    level: 'low',
    title: 'a group of back ends that nobody uses',
    why: 'A name that was changed in one place only looks like this.',
    advice: 'Use it, or remove it.',
    bad: 'events {} http { upstream app { server 127.0.0.1:1; } server { listen 80; } }',
    good: 'events {} http { upstream app { server 127.0.0.1:1; } server { listen 80; location / { proxy_pass http://app; } } }',
    find(model, report) {
      if (!model.closed) return
      const passes = new Set<string>()
      for (const node of model.nodes) {
        if (node.name === 'upstream') continue
        for (const text of node.words) addNames(text.toLowerCase(), passes)
        if (node.isEntry) addNames(node.name.toLowerCase(), passes)
      }
      for (const node of model.all('upstream'))
        if (!passes.has(node.first.toLowerCase()))
          report(node, `nothing passes requests to "${node.first}"`, { word: node.args[0] })
    },
  },
  {
    id: 'unused_variable',
    level: 'info',
    title: 'a variable that nobody reads',
    why: 'A name that was changed in one place only looks like this.',
    advice: 'Use it, or remove it.',
    bad: 'events {} http { map $host $site { default 1; } server { listen 80; } }',
    good: 'events {} http { map $host $site { default 1; } server { listen 80; return 200 $site; } }',
    find(model, report) {
      if (!model.closed) return
      const used = usedVariables(model)
      const seen = new Set<string>()
      for (const { name, node } of defined(model)) {
        const key = name.toLowerCase()
        // Some are read by the program itself.
        if (
          used.has(key) ||
          seen.has(key) ||
          /^(?:args|limit_rate|limit_rate_after|memcached_key|fancyindex_\w+|http_\w+)$/.test(key)
        )
          continue
        seen.add(key)
        report(node, `$${name} is read nowhere`)
      }
    },
  },
  {
    id: 'unused_zone',
    level: 'low',
    title: 'a zone that nobody uses',
    why: 'A limit or a cache that is declared and not applied protects nothing.',
    advice: 'Apply it (limit_req, limit_conn, proxy_cache), or remove it.',
    bad: 'events {} http { limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s; server { listen 80; } }',
    good: 'events {} http { limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s; server { listen 80; limit_req zone=a; } }',
    find(model, report) {
      if (!model.closed) return
      const uses = [
        ['limit_req_zone', 'limit_req'],
        ['limit_conn_zone', 'limit_conn'],
        ['proxy_cache_path', 'proxy_cache'],
        ['fastcgi_cache_path', 'fastcgi_cache'],
        ['uwsgi_cache_path', 'uwsgi_cache'],
        ['scgi_cache_path', 'scgi_cache'],
      ] as const
      for (const [declares, applies] of uses) {
        const used = model.all(applies).flatMap(({ words }) => words.map((word) => word.replace(/^zone=/, '')))
        for (const node of model.all(declares)) {
          const name = zoneName(node)
          if (name !== undefined && !used.some((one) => one === name || one.includes('$')))
            report(node, `"${name}" is used by no ${applies}`)
        }
      }
    },
  },
  {
    id: 'include_matches_nothing',
    level: 'info',
    title: 'an include that finds no file',
    why: 'A pattern that fits nothing is no error: a folder with another name, or files with another ending, are simply not read.',
    advice: 'Correct the pattern, or remove the line.',
    bad: 'include no-such-folder/*.conf; events {}',
    good: 'events {}',
    find(model, report) {
      if (model.elsewhere) return
      for (const [pattern, files] of model.config.snapshot.globs)
        if (files.length === 0) report(undefined, `no file fits "${pattern}"`)
    },
  },
]
