/** Who may come: lists that let everybody in, answers that pass them by, values that clients choose. */

import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { headOf, isGuarded, isInternal, variablesIn } from '../facts.ts'
import { mayBeHost, originsOf } from '../flow.ts'

const EVERYBODY = /^(?:0\.0\.0\.0\/0|::\/0|all)$/

function ruleLists(model: Model): Node[] {
  return [...new Set(model.all('allow', 'deny').map((node) => node.parent!))]
}

export const accessChecks: readonly Check[] = [
  {
    id: 'allow_without_deny',
    level: 'high',
    title: 'allow without deny lets everybody in',
    why: 'Whoever no rule is about may come: a list of allow alone restricts nothing.',
    advice: 'End the list with `deny all`.',
    bad: 'location / { allow 10.0.0.0/8; proxy_pass http://127.0.0.1:1; }',
    good: 'location / { allow 10.0.0.0/8; deny all; proxy_pass http://127.0.0.1:1; }',
    find(model, report) {
      if (model.torn) return
      for (const block of ruleLists(model)) {
        if (block.has('deny') || model.setting(block, 'satisfy') === 'any') continue
        // A list of its own file is a part of the list of whoever includes it.
        if (model.fragment && block.at.file !== block.own('allow')[0]!.at.file) continue
        const rules = block.own('allow')
        if (rules.some(({ first }) => EVERYBODY.test(first))) continue
        const node = rules.at(-1)!
        report(node, 'everybody else is let in, too', {
          fix: { what: 'add "deny all"', edits: [{ kind: 'line', node, text: 'deny all;' }] },
        })
      }
    },
  },
  {
    id: 'unreachable_access_rule',
    level: 'medium',
    title: 'an access rule that is never asked',
    why: 'The first rule that fits decides: behind one for all, the others mean nothing.',
    advice: 'Put the rule for all last.',
    bad: 'location / { allow all; deny 10.0.0.1; }',
    good: 'location / { deny 10.0.0.1; allow all; }',
    find(model, report) {
      for (const block of ruleLists(model)) {
        const rules = block.own('allow', 'deny')
        const all = rules.findIndex(({ first }) => first === 'all')
        const behind = all < 0 ? undefined : rules.slice(all + 1).find(({ first }) => first !== 'all')
        if (behind !== undefined) report(behind, `"${rules[all]!.text}" in line ${rules[all]!.at.line} decides before`)
      }
    },
  },
  {
    id: 'return_bypasses_allow_deny',
    level: 'medium',
    title: 'return answers before access rules are asked',
    why: 'return belongs to the rewrite phase, which comes before the access phase: allow, deny and passwords do not protect it.',
    advice:
      'Answer by a location of its own (try_files /x =404, or a named location), or check in the same phase, by if or map.',
    bad: 'location /secret { allow 10.0.0.0/8; deny all; return 200 secret; }',
    good: 'location /secret { allow 10.0.0.0/8; deny all; root /srv; }',
    find(model, report) {
      for (const node of model.all('return')) {
        const block = node.parent!
        const status = Number(node.first)
        if (block.name !== 'location' || status >= 300) continue
        const rules = [...block.own('deny'), ...block.own('auth_basic').filter(({ first }) => first !== 'off')]
        if (rules.length > 0)
          report(node, `it answers before "${rules[0]!.text}" in line ${rules[0]!.at.line} is asked`)
      }
    },
  },
  {
    id: 'ssrf',
    level: 'high',
    title: 'clients choose the back end',
    why: 'A host that comes from the request makes the server a door to everything that it can reach, inside too.',
    advice: 'Choose among known hosts by a map, or make the location internal.',
    bad: 'location ~ ^/fetch/(.*)$ { proxy_pass http://$1; }',
    good: 'location ~ ^/fetch/(a|b)$ { proxy_pass http://$1.example.com; }',
    find(model, report) {
      for (const node of model.all('proxy_pass', 'fastcgi_pass', 'uwsgi_pass', 'scgi_pass', 'grpc_pass')) {
        if (isInternal(node.up('location')) || isGuarded(model, node.parent!)) continue
        const bad = hostVariables(node.first).find(({ name, after }) => isFree(node, name, after))
        if (bad !== undefined)
          report(node, `$${bad.name} comes from the request and names the host`, { word: node.args[0] })
      }
    },
  },
  {
    id: 'host_spoofing',
    level: 'medium',
    title: 'the back end is told whatever Host the client sends',
    why: '$http_host is the field as it came, also when the request line or the server names say otherwise; applications make links and cache keys of it.',
    advice: 'Use $host. (Where the port counts: `$host:$server_port`.)',
    bad: 'location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $http_host; }',
    good: 'location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $host; }',
    find(model, report) {
      for (const node of model.all('proxy_set_header', 'grpc_set_header', 'fastcgi_param', 'uwsgi_param')) {
        const word = node.args[1]
        const name = /^\$\{?((?:http_host|arg_\w+|cookie_\w+|http_x_\w+))\}?$/i.exec(word?.text ?? '')?.[1]
        if (!/^(?:host|http_host)$/i.test(node.first) || word === undefined || name === undefined) continue
        report(node, `the Host of the back end is whatever the client sends ($${name})`, {
          word,
          fix: { what: 'use $host', edits: [{ kind: 'replace', word, text: '$host' }] },
        })
      }
    },
  },
  {
    id: 'origins',
    level: 'medium',
    title: 'a pattern for origins fits others, too',
    why: 'Without an end, or with a dot that stands for any character, `https://example.com.evil.net` fits.',
    advice: 'Begin with ^, end with $ (or a slash), and write dots as \\.',
    bad: 'location / { if ($http_origin ~ "^https://www.example.com") { add_header Access-Control-Allow-Origin $http_origin; } }',
    good: 'location / { if ($http_origin ~ "^https://www\\.example\\.com$") { add_header Access-Control-Allow-Origin $http_origin; } }',
    find(model, report) {
      for (const { node, pattern, name } of originPatterns(model)) {
        const fault = originFault(pattern)
        if (fault !== undefined) report(node, `the pattern for $${name} ${fault}`)
      }
    },
  },
  {
    id: 'valid_referers',
    level: 'low',
    title: '"none" lets requests without Referer pass',
    why: 'Any page can leave the field out (Referrer-Policy), so that the check protects from nobody.',
    advice: 'Leave "none" out, or do not rely on the field.',
    bad: 'location / { valid_referers none blocked server_names; if ($invalid_referer) { return 403; } }',
    good: 'location / { valid_referers server_names; if ($invalid_referer) { return 403; } }',
    find(model, report) {
      for (const node of model.all('valid_referers')) {
        const word = node.args.find(({ text }) => text === 'none')
        if (word !== undefined) report(node, 'whoever sends no Referer is let in', { word })
      }
    },
  },
  {
    id: 'status_page_exposed',
    level: 'medium',
    title: 'a status page for everybody',
    why: 'Numbers of connections and requests, and more with the API, help whoever attacks.',
    advice: 'Restrict it by allow and deny, or listen on 127.0.0.1 for it.',
    bad: 'server { listen 80; location /status { stub_status; } }',
    good: 'server { listen 80; location /status { stub_status; allow 127.0.0.1; deny all; } }',
    find(model, report) {
      if (model.torn) return
      for (const node of model.all('stub_status', 'api', 'status', 'upstream_conf')) {
        if (node.directive === undefined && node.name !== 'stub_status') continue
        if (!isGuarded(model, node.parent!)) report(node, 'everybody may read this page')
      }
    },
  },
  {
    id: 'real_ip_from_anybody',
    level: 'high',
    title: 'clients choose their address',
    why: 'Whoever may connect can say any address in the field, and passes by rules, limits and logs.',
    advice: 'Name the addresses of your load balancers.',
    bad: 'server { set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; }',
    good: 'server { set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; }',
    find(model, report) {
      for (const node of model.all('set_real_ip_from')) {
        if (EVERYBODY.test(node.first))
          report(node, 'everybody is trusted to say the address of the client', { word: node.args[0] })
      }
    },
  },
  {
    id: 'real_ip_without_effect',
    level: 'medium',
    title: 'real_ip_header without set_real_ip_from does nothing',
    why: 'Nobody is trusted, so the address stays that of the load balancer: in logs, limits and rules.',
    advice: 'Name the load balancers by set_real_ip_from.',
    bad: 'http { server { listen 80; real_ip_header X-Forwarded-For; } } events {}',
    good: 'http { server { listen 80; set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; } } events {}',
    find(model, report) {
      if (!model.complete) return
      for (const node of model.all('real_ip_header')) {
        const inside = node.parent!.inside().some(({ name }) => name === 'set_real_ip_from')
        if (!inside && model.effective(node.parent!, 'set_real_ip_from').length === 0)
          report(node, 'nobody is trusted (set_real_ip_from)')
      }
    },
  },
  {
    id: 'filesystem_root_exposure',
    level: 'high',
    title: 'the whole disk is served',
    why: 'With / or /etc as root, keys and passwords are files like others.',
    advice: 'Serve a folder that holds nothing else.',
    bad: 'server { root /; }',
    good: 'server { root /var/www/site; }',
    find(model, report) {
      for (const node of model.all('root', 'alias')) {
        if (!/^\/(?:(?:etc|root|proc|sys|dev|home|boot|run|usr)\/?)?$/.test(node.first)) continue
        // A named file below is asked for by try_files alone, or nobody comes.
        if (node.parent!.children.some(({ text }) => text === 'deny all' || text === 'internal')) continue
        if (node.name === 'alias' && headOf(node.parent!)?.kind === 'exact') continue
        report(node, `everything in ${node.first} may be read`, { word: node.args[0] })
      }
    },
  },
]

/** The variables in the scheme and host of a target, each with the literal text behind it. */
function hostVariables(target: string): { readonly name: string; readonly after: string }[] {
  const parts = target.replace(/^(?:\w+:\/\/)?/, '').split(/(\$(?:\{\w+\}|\w+))/)
  const found: { readonly name: string; readonly after: string }[] = []
  for (let i = 1; i < parts.length; i += 2) {
    const before = parts[i - 1]!.replace(/^:\/\//, '')
    const [name] = variablesIn(parts[i]!)
    // A path has begun, or begins with the variable.
    if (before.includes('/') || name === undefined || /^(?:request_uri|uri|document_uri)$/.test(name)) break
    found.push({ name, after: parts[i + 1] ?? '' })
  }
  return found
}

/** A client can make it another host. */
function isFree(node: Node, name: string, after: string): boolean {
  return originsOf(node, name).some((origin) => {
    if (origin.kind === 'client') return true
    // What follows is the domain, which stays that of the author unless a slash gets in.
    const isLabel = /^\.[\w-]+(?:\.[\w-]+)*(?::\d+)?(?:\/|$)/.test(after)
    return isLabel
      ? mayBeHost(origin.group) && !/^\([^()]*\[\^[^\]]*\/[^\]]*\][+*]\)$/.test(origin.group)
      : mayBeHost(origin.group)
  })
}

interface OriginPattern {
  readonly node: Node
  readonly pattern: string
  readonly name: string
}

function* originPatterns(model: Model): Generator<OriginPattern> {
  for (const node of model.all('if')) {
    const text = node.words
      .join(' ')
      .replace(/^\(\s*/, '')
      .replace(/\s*\)$/, '')
    const match = /^\$(http_origin|http_referer)\s+(!?~\*?)\s*(.*)$/i.exec(text)
    if (match !== null) yield { node, name: match[1]!.toLowerCase(), pattern: match[3]! }
  }
  for (const map of model.all('map')) {
    const name = map.first.toLowerCase()
    if (name !== '$http_origin' && name !== '$http_referer') continue
    for (const entry of map.children) {
      if (entry.name.startsWith('~') && entry.first !== '0' && entry.first !== '') {
        yield { node: entry, name: name.slice(1), pattern: entry.name.replace(/^~\*?/, '') }
      }
    }
  }
}

/** What lets other origins pass; undefined when nothing does, or the pattern is not about hosts. */
function originFault(pattern: string): string | undefined {
  const plain = pattern.replaceAll('\\/', '/')
  // Brackets and escapes are none of the characters that are looked for.
  const bare = plain.replaceAll(/\\./g, '_').replaceAll(/\[[^\]]*\]/g, '_')
  if (!/\w\\?\.\w/.test(plain) && !plain.includes('localhost')) return undefined
  if (plain.includes('://') && !plain.startsWith('^')) return 'is not tied to the beginning'
  if (topLevelAlternatives(bare).some((one, i) => i > 0 && !one.startsWith('^') && /:\/\/|^\(/.test(one)))
    return 'has an alternative that is not tied to the beginning'
  if (/:\/\/.*\.[*+].*_[a-z(]/i.test(bare)) return 'lets anything stand before the domain, a slash too'
  const last = plain.lastIndexOf('.')
  if (!/[$/]|:\d|\[\/|\(\?:?\/|\(\//.test(plain.slice(last))) return 'has no end: "example.com.evil.net" may fit'
  if (/[a-z]\.[a-z]/i.test(bare)) return 'has a dot that stands for any character'
  return undefined
}

/** The alternatives outside of all parentheses. */
function topLevelAlternatives(pattern: string): string[] {
  const found = ['']
  let depth = 0
  for (const ch of pattern) {
    if (ch === '(') depth++
    else if (ch === ')') depth--
    if (ch === '|' && depth === 0) found.push('')
    else found.push(`${found.pop()}${ch}`)
  }
  return found
}
