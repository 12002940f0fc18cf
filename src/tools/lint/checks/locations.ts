/** Servers and locations: which ones are never reached, which patterns fit too much, what `if` does. */

import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { addressOf, HANDLERS, headOf, namesOf } from '../facts.ts'

/** What nginx itself calls safe in an `if`. */
const IF_SAFE =
  /^(?:return|rewrite|set|break|access_log|limit_rate|add_header|expires|valid_referers|internal_redirect|limit_rate_after|more_\w+|status_zone)$/

/** The text that a pattern begins with, when it is tied to the beginning and every text behind it fits too. */
function fixedStart(pattern: string): string | undefined {
  const match = /^\^((?:[\w/-]|\\[./-])*)(?:\.\*)?$/.exec(pattern)
  return match === null ? undefined : match[1]!.replaceAll('\\', '')
}

/** The text that everything begins with that a pattern fits. */
function literalStart(pattern: string): string {
  const match = /^\^((?:[\w/-]|\\[./-])*)([?*{]?)/.exec(pattern)
  if (match === null || /\|/.test(pattern.replaceAll(/\\.|\([^)]*\)/g, ''))) return ''
  const text = match[1]!.replaceAll('\\', '')
  return match[2] === '' ? text : text.slice(0, -1)
}

function siblings(model: Model): (readonly Node[])[] {
  return model
    .all('server', 'location')
    .filter(({ opens }) => opens === 'server' || opens === 'location')
    .map((block) => block.own('location'))
}

export const locationChecks: readonly Check[] = [
  {
    id: 'unreachable_location',
    level: 'medium',
    title: 'a location that no request reaches',
    why: 'The longest prefix is only kept when no regular expression fits, the first pattern that fits wins, and ^~ stops the search.',
    advice: 'Give the prefix location ^~, put the pattern that is more special first, or remove what is dead.',
    bad: 'server { location /api/ { return 200; } location ~ ^/api/ { return 404; } }',
    good: 'server { location ^~ /api/ { return 200; } location ~ ^/app/ { return 404; } }',
    find(model, report) {
      for (const list of siblings(model)) {
        const patterns: Node[] = []
        for (const node of list.filter((one) => headOf(one)?.kind === 'regex')) {
          const source = patternText(node)
          const before = patterns.find((one) => patternText(one) === source || covers(one, node))
          const stops = list.find((one) => headOf(one)?.kind === 'noregex' && stopsAll(one, node, list))
          if (before !== undefined) report(node, `"${before.text}" in line ${before.at.line} wins always`)
          else if (stops !== undefined) report(node, `"${stops.text}" in line ${stops.at.line} ends the search before`)
          patterns.push(node)
        }
        for (const node of list.filter((one) => headOf(one)?.kind === 'prefix')) {
          const { name } = headOf(node)!
          const winner = patterns.find((one) => isSensitive(one) && startsAll(one, name))
          // It may hold locations of its own that end the search.
          if (winner !== undefined && !node.has('location'))
            report(node, `"${winner.text}" in line ${winner.at.line} wins always`)
        }
      }
    },
  },
  {
    id: 'duplicate_server_name',
    level: 'medium',
    title: 'two servers with one name on one address',
    why: 'The first one gets all requests; the other one is ignored for that name.',
    advice: 'Remove the name from one of them, or join them.',
    bad: 'server { listen 80; server_name a.example; } server { listen 80; server_name a.example; }',
    good: 'server { listen 80; server_name a.example; } server { listen 443; server_name a.example; }',
    find(model, report) {
      const seen = new Map<string, Node>()
      for (const server of model.all('server').filter(({ opens }) => opens === 'server')) {
        for (const listen of listensOf(server)) {
          for (const name of namesOf(server)) {
            const key = `${listen} ${name.text.toLowerCase()}`
            const before = seen.get(key)
            if (before === undefined) seen.set(key, server)
            else if (before !== server)
              report(
                server.own('server_name')[0],
                `"${name.text}" is served by the server in line ${before.at.line} of ${before.at.file}`,
              )
          }
        }
      }
    },
  },
  {
    id: 'default_server_flag',
    level: 'low',
    title: 'several servers on one address, and none is the default',
    why: 'Requests for names that nobody has go to the first server in the order of files: whichever file is read first.',
    advice: 'Say `default_server`, best on a server that refuses: `return 444;`.',
    bad: 'events {} http { server { listen 80; server_name a.example; } server { listen 80; server_name b.example; } }',
    good: 'events {} http { server { listen 80 default_server; server_name a.example; } server { listen 80; server_name b.example; } }',
    find(model, report) {
      if (!model.complete) return
      const byListen = new Map<string, Node[]>()
      for (const node of model.all('listen').filter(({ context }) => context === 'server')) {
        const key = addressOf(node)
        byListen.set(key, [...(byListen.get(key) ?? []), node])
      }
      for (const [key, nodes] of byListen) {
        if (
          new Set(nodes.map(({ parent }) => parent)).size < 2 ||
          nodes.some(({ words }) => words.includes('default_server') || words.includes('default'))
        )
          continue
        report(nodes[0], `the first of ${nodes.length} servers on ${key} gets what is for none of them`, {
          fix: { what: 'add "default_server"', edits: [{ kind: 'words', node: nodes[0]!, text: ' default_server' }] },
        })
      }
    },
  },
  {
    id: 'server_name_not_a_name',
    level: 'medium',
    title: 'a server_name that is no host name',
    why: 'The Host of a request is compared without scheme, port and path: such a name never fits.',
    advice: 'Write the host alone.',
    bad: 'server { listen 80; server_name https://example.com:443; }',
    good: 'server { listen 80; server_name example.com; }',
    find(model, report) {
      for (const node of model.all('server_name').filter(({ context }) => context === 'server')) {
        for (const word of node.args) {
          if (word.text.startsWith('~') || word.text.startsWith('[')) continue
          if (/:\/\/|:\d+$|\//.test(word.text)) report(node, `"${word.text}" fits no request`, { word })
        }
      }
    },
  },
  {
    id: 'if_is_evil',
    level: 'medium',
    title: 'an if in a location that does more than return, rewrite and set',
    why: 'The block is a location of its own: what stands outside of it beside such directives is partly inherited, partly not, and the last if that fits wins alone.',
    advice: 'Choose by map, by a location or by return and rewrite ... last.',
    bad: 'location / { if ($arg_x) { proxy_pass http://127.0.0.1:1; } }',
    good: 'location / { if ($arg_x) { return 403; } }',
    find(model, report) {
      for (const block of model.all('if').filter(({ opens }) => opens === 'if')) {
        const bad = block.children.find(({ name }) => !IF_SAFE.test(name))
        if (bad !== undefined) report(bad, `"${bad.name}" in an if makes a location beside the one around it`)
      }
    },
  },
  {
    id: 'add_header_in_several_ifs',
    level: 'medium',
    title: 'fields in several ifs of which only one is sent',
    why: 'Each if that fits takes the place of the one before: of two with add_header, only the last one counts.',
    advice: 'Make the values by map: a field whose value is empty is not sent.',
    bad: 'location / { if ($arg_a) { add_header X-A 1; } if ($arg_b) { add_header X-B 1; } }',
    good: 'location / { add_header X-A $arg_a; add_header X-B $arg_b; }',
    find(model, report) {
      for (const block of model.all('location')) {
        const list = block.own('if').filter((one) => one.has('add_header') && !one.has('return'))
        if (list.length > 1)
          report(list.at(-1), `when it fits, the fields of the if in line ${list[0]!.at.line} are not sent`)
      }
    },
  },
  {
    id: 'unanchored_regex',
    level: 'low',
    title: 'an extension without an end',
    why: '`~ \\.php` also fits `/x.php5` and `/a.php/b.jpg`.',
    advice: 'End the pattern with $.',
    bad: 'location ~ \\.php { return 200; }',
    good: 'location ~ \\.php$ { return 200; }',
    find(model, report) {
      for (const node of model.all('location')) {
        const word = node.args.at(-1)
        if (headOf(node)?.kind !== 'regex' || word === undefined || !/^\\\.\w+$/.test(word.text)) continue
        report(node, `"${word.text}" also fits in the middle of a name`, {
          word,
          fix: {
            what: 'end the pattern with $',
            edits: [{ kind: 'replace', word, text: word.quoted ? `"${word.text}$"` : `${word.text}$` }],
          },
        })
      }
    },
  },
  {
    id: 'regex_redos',
    level: 'medium',
    title: 'a pattern that can take very long',
    why: 'Repetition inside of repetition tries every way to divide the text: a long URI keeps a worker busy. (Viaduct gives such a match up after a limit.)',
    advice: 'Write the pattern without a repeated group that repeats inside.',
    bad: 'location ~ ^/(a+)+$ { return 200; }',
    good: 'location ~ ^/a+$ { return 200; }',
    find(model, report) {
      for (const { node, pattern } of patterns(model)) {
        if (/\((?:\?:)?(?:\\.|[^()\\])*(?<!\\)[+*](?:\\.|[^()\\])?\)[+*]/.test(pattern) && nested(pattern))
          report(node, `"${pattern}" repeats what repeats`)
      }
    },
  },
  {
    id: 'invalid_regex',
    level: 'medium',
    title: 'a capture that the pattern does not have',
    why: '$1 without a group in the pattern is empty.',
    advice: 'Put parentheses around what is meant.',
    bad: 'server { rewrite ^/old/.*$ /new/$1 last; }',
    good: 'server { rewrite ^/old/(.*)$ /new/$1 last; }',
    find(model, report) {
      for (const node of model.all('rewrite')) {
        const groups = [...(node.words[0] ?? '').replaceAll(/\\./g, '').matchAll(/\((?!\?)|\(\?P?[<'](?![=!])/g)].length
        const word = node.args[1]
        const most = Math.max(
          0,
          ...[...(word?.text ?? '').matchAll(/\$\{?([1-9])\b/g)].map((match) => Number(match[1])),
        )
        if (most > groups) report(node, `the pattern has ${groups} groups, and $${most} is none of them`, { word })
      }
    },
  },
  {
    id: 'root_in_one_location',
    level: 'medium',
    title: 'a root in one location, and others that have none',
    why: 'Locations without root serve the folder "html" beside the configuration.',
    advice: 'Put root into the server.',
    bad: 'events {} http { server { listen 80; location / { root /srv/www; } location /img/ { expires 1d; } } }',
    good: 'events {} http { server { listen 80; root /srv/www; location / { } location /img/ { expires 1d; } } }',
    find(model, report) {
      if (!model.complete) return
      for (const server of model.all('server').filter(({ opens }) => opens === 'server')) {
        if (!server.own('location').some((one) => one.has('root')) || model.effective(server, 'root').length > 0)
          continue
        for (const node of server.own('location'))
          if (servesFiles(model, node)) report(node, 'it has no root, and so serves the folder "html"')
      }
    },
  },
  {
    id: 'alias_with_rewrite',
    level: 'medium',
    title: 'a rewrite in a location with alias',
    why: 'alias takes the name of the location away from the URI, which after a rewrite need not begin with it: files are not served any more, but answered with 500. (In nginx before 1.30.6 and 1.31.7 more may happen: CVE-2026-15176.)',
    advice: 'Use root, or a regular expression with captures in alias.',
    bad: 'location /i/ { alias /srv/images/; rewrite ^/i/old/(.*)$ /i/new/$1 break; }',
    good: 'location /i/ { root /srv; rewrite ^/i/old/(.*)$ /images/new/$1 break; }',
    find(model, report) {
      for (const node of model.all('rewrite')) {
        const location = node.up('location')
        const isPrefix = location !== undefined && headOf(location)?.kind !== 'regex'
        if (node.words[2] !== 'break' || !isPrefix || !location.has('alias')) continue
        if (!HANDLERS.some((name) => node.parent!.has(name)))
          report(node, `alias in line ${location.own('alias')[0]!.at.line} does not fit to what this makes`)
      }
    },
  },
  {
    id: 'rewrite_for_redirect',
    level: 'info',
    title: 'rewrite where return is meant',
    why: 'A redirect of everything needs no pattern, and return says what it does.',
    advice: 'Use `return 301 https://$host$request_uri;`.',
    bad: 'server { rewrite ^ https://example.com$request_uri? permanent; }',
    good: 'server { return 301 https://example.com$request_uri; }',
    find(model, report) {
      for (const node of model.all('rewrite')) {
        if (/^(?:\^|\^\(?\.\*\)?\$?|\.\*)$/.test(node.first) && /^https?:|^\$scheme/.test(node.words[1] ?? ''))
          report(node, 'a return says the same')
      }
    },
  },
  {
    id: 'try_files_is_evil_too',
    level: 'info',
    title: 'each request asks the disk',
    why: 'try_files looks for every name anew: several system calls for each request, also for those that go on to an application.',
    advice: 'Remember what is there: `open_file_cache max=10000; open_file_cache_errors on;`.',
    bad: 'server { root /srv; location / { try_files $uri $uri/ =404; } }',
    good: 'server { root /srv; open_file_cache max=1000; location / { try_files $uri $uri/ =404; } }',
    find(model, report) {
      if (model.missing.length > 0) return
      // Once is enough: it is decided for all of them in one place.
      const node = model.all('try_files').find(({ parent }) => {
        const cache = model.effective(parent!, 'open_file_cache').at(-1)
        return cache === undefined || cache.first === 'off'
      })
      if (node !== undefined) report(node, 'what is on the disk is not remembered (open_file_cache is off)')
    },
  },
  {
    id: 'missing_named_location',
    level: 'high',
    title: 'a named location that does not exist',
    why: 'The request that is sent there ends with 500.',
    advice: 'Add the location, or correct the name.',
    bad: 'events {} http { server { listen 80; location / { try_files $uri @app; } } }',
    good: 'events {} http { server { listen 80; location / { try_files $uri @app; } location @app { return 404; } } }',
    find(model, report) {
      if (!model.complete) return
      for (const node of model.all('try_files', 'error_page', 'internal_redirect')) {
        const word = node.args.at(-1)
        if (word === undefined || !word.text.startsWith('@') || word.text.includes('$')) continue
        const server = node.up('server')
        const servers = server === undefined ? model.all('server').filter(({ opens }) => opens === 'server') : [server]
        const lacking = servers.find((one) => !one.own('location').some(({ first }) => first === word.text))
        if (
          lacking !== undefined &&
          (server !== undefined ||
            servers.every((one) => !one.own('location').some(({ first }) => first === word.text)))
        ) {
          report(node, `the server has no location ${word.text}`, { word })
        }
      }
    },
  },
]

function patternText(node: Node): string {
  return node.words.join(' ')
}

function isSensitive(node: Node): boolean {
  return node.first === '~'
}

/** Everything that the second pattern fits, the first one fits too. */
function covers(first: Node, second: Node): boolean {
  const start = fixedStart(first.words.at(-1) ?? '')
  return (
    start !== undefined &&
    isSensitive(first) &&
    isSensitive(second) &&
    start !== '' &&
    literalStart(second.words.at(-1) ?? '').startsWith(start)
  )
}

/** A pattern fits whatever begins with a prefix. */
function startsAll(pattern: Node, prefix: string): boolean {
  const text = pattern.words.at(-1) ?? ''
  const start = text === '/' || text === '.*' || text === '^/' ? '' : fixedStart(text)
  return start !== undefined && (start === '' ? prefix !== '/' || text === '^/' : prefix.startsWith(start))
}

/** A location with ^~ is the longest prefix for whatever a pattern fits. */
function stopsAll(location: Node, pattern: Node, list: readonly Node[]): boolean {
  const start = literalStart(pattern.words.at(-1) ?? '')
  const { name } = headOf(location)!
  if (!isSensitive(pattern) || name === '' || !start.startsWith(name)) return false
  return !list.some(
    (other) => other !== location && headOf(other)?.kind === 'prefix' && headOf(other)!.name.startsWith(name),
  )
}

function listensOf(server: Node): string[] {
  const list = server.own('listen').map(addressOf)
  return list.length > 0 ? list : ['0.0.0.0:80']
}

function* patterns(model: Model): Generator<{ node: Node; pattern: string }> {
  for (const node of model.all('location'))
    if (headOf(node)?.kind === 'regex') yield { node, pattern: node.words.at(-1) ?? '' }
  for (const node of model.all('rewrite')) yield { node, pattern: node.first }
  for (const node of model.all('if')) {
    const match = /~\*?\s+(.*?)\)?$/.exec(node.words.join(' '))
    if (match !== null) yield { node, pattern: match[1]! }
  }
  for (const node of model.all('map').flatMap(({ children }) => children)) {
    if (node.name.startsWith('~')) yield { node, pattern: node.name.replace(/^~\*?/, '') }
  }
}

/** A group that repeats ends with something that repeats, with nothing between that would tell where to stop. */
function nested(pattern: string): boolean {
  for (const [, inside] of pattern.matchAll(/\((?:\?:)?((?:\\.|[^()\\])*)\)[+*]/g)) {
    if (/^(?:\\[wds]|\.|\w|\[[^\]]*\])[+*]$/.test(inside!)) return true
  }
  return false
}

function servesFiles(model: Model, location: Node): boolean {
  const kind = headOf(location)?.kind
  if (
    kind === 'named' ||
    location.has(...HANDLERS, 'root', 'alias', 'rewrite', 'location', 'deny', 'if', 'try_files', 'internal')
  )
    return false
  return (
    !location.children.some(
      ({ name }) => name === 'include' || name.endsWith('_pass') || name.startsWith('content_by'),
    ) && model.effective(location, 'root').length === 0
  )
}
