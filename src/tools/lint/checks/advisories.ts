/**
 * Shapes of configurations that nginx's security advisories are about, as far as a configuration can show them. Viaduct has
 * none of these faults; who checks the configuration of an nginx (`nginx -T | viaduct lint -`) learns why to update it.
 */
import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { listenersOf, variablesIn } from '../facts.ts'

/** An advisory, and the statements that have what it is about. */
interface Advisory {
  readonly cve: string
  /** What happens in older versions. */
  readonly what: string
  /** The first versions without it. */
  readonly fixed: string
  find(model: Model): readonly Node[]
}

const ADVISORIES: readonly Advisory[] = [
  {
    cve: 'CVE-2026-97629',
    what: 'with several ticket keys sessions can be forged',
    fixed: '1.30.6, 1.31.7',
    find: (model) => model.all('ssl_session_ticket_key').filter((node) => node.parent!.own(node.name)[1] === node),
  },
  {
    cve: 'CVE-2026-42926',
    what: "a client's value in the body of an HTTP/2 request may become requests of its own",
    fixed: '1.30.1, 1.31.0',
    find: (model) =>
      model
        .all('proxy_set_body')
        .filter((node) => node.uses.length > 0 && model.setting(node.parent!, 'proxy_http_version') === '2'),
  },
  {
    cve: 'CVE-2026-40701',
    what: 'memory may be used after it was freed when issuers of client certificates are asked',
    fixed: '1.30.1, 1.31.0',
    find: (model) => model.all('ssl_ocsp').filter(({ first }) => first !== 'off'),
  },
  {
    cve: 'CVE-2026-60005',
    what: 'slices may disclose memory of the worker',
    fixed: '1.30.4, 1.31.3',
    find: (model) => model.all('slice').filter(({ first }) => first !== '0'),
  },
  {
    cve: 'CVE-2026-42946',
    what: 'a response may be read beyond its end',
    fixed: '1.30.1, 1.31.0',
    find: (model) => model.all('scgi_pass', 'uwsgi_pass'),
  },
  {
    cve: 'CVE-2026-42934',
    what: 'a response may be read beyond its end when it is recoded',
    fixed: '1.30.1, 1.31.0',
    find: (model) => model.all('charset_map'),
  },
  {
    cve: 'CVE-2026-27654',
    what: 'a short Destination writes beyond a buffer, or names a file outside of the folder',
    fixed: '1.28.3, 1.29.7',
    find: (model) =>
      model
        .all('dav_methods')
        .filter((node) => node.words.some((word) => word === 'COPY' || word === 'MOVE'))
        .filter((node) => model.effective(node.parent!, 'alias').length > 0),
  },
  {
    cve: 'CVE-2026-32647, CVE-2024-7347 and CVE-2022-41741',
    what: 'a file made for it ends the worker, or more: serve only videos of your own',
    fixed: '1.28.3, 1.29.7',
    find: (model) => model.all('mp4'),
  },
  {
    cve: 'CVE-2025-23419',
    what: 'a session with one of these servers opens the others, whatever certificates they ask for',
    fixed: '1.26.3, 1.27.4',
    find: sharedSessions,
  },
  {
    cve: 'CVE-2021-23017',
    what: 'whoever can forge answers of this DNS server may write into memory',
    fixed: '1.20.1, 1.21.0',
    find: (model) => model.all('resolver').filter(({ args }) => args.some(({ text }) => isFarAway(text))),
  },
]

export const advisoryChecks: readonly Check[] = [
  {
    id: 'nginx_advisory',
    level: 'info',
    title: 'what a security advisory of nginx is about',
    why: 'Versions of nginx before those that are named have a fault that this part of the configuration exposes. Viaduct does not have it.',
    advice: 'Update nginx, or do without the part.',
    bad: 'server { location /videos/ { root /srv; mp4; } }',
    good: 'server { location /videos/ { root /srv; } }',
    find(model, report) {
      for (const { cve, what, fixed, find } of ADVISORIES)
        for (const node of find(model)) report(node, `nginx before ${fixed}: ${what} (${cve})`)
    },
  },
  {
    id: 'unnamed_groups',
    level: 'info',
    title: 'a capture that is used behind a rewrite with arguments',
    why: 'In nginx before 1.30.1 and 1.31.0 a question mark in the replacement of a rewrite has a set, if or rewrite behind it write beyond its buffer when that uses $1 (CVE-2026-42945). Viaduct does not.',
    advice: 'Update nginx, name the group ((?<name>...)), or end the rules with a flag.',
    bad: 'server { location / { rewrite ^/api/(.*)$ /inner?old=1; set $was $1; } }',
    good: 'server { location / { rewrite ^/api/(?<rest>.*)$ /inner?old=1; set $was $rest; } }',
    find(model, report) {
      for (const node of model.all('rewrite')) {
        const [, replacement = '', flag] = node.words
        if (flag !== undefined || !/\?./.test(replacement)) continue
        const rest = node.parent!.children.slice(node.parent!.children.indexOf(node) + 1)
        const next = rest.find((one) => /^(?:set|if|rewrite)$/.test(one.name) && usesNumber(one))
        if (next !== undefined) report(next, `$1 and its like, behind the rewrite in line ${node.at.line}`)
      }
    },
  },
  {
    id: 'overlapping_captures',
    level: 'info',
    title: 'captures inside each other, both in one replacement',
    why: 'In nginx before 1.30.2 and 1.31.1 such a replacement writes beyond its buffer, in redirects and in arguments (CVE-2026-9256). Viaduct does not.',
    advice: 'Update nginx, or make the outer or the inner group one without capture: (?:...).',
    bad: 'server { location / { rewrite ^/((.*))$ http://a.example/$1$2 redirect; } }',
    good: 'server { location / { rewrite ^/(?:(.*))$ http://a.example/$1 redirect; } }',
    find(model, report) {
      for (const node of model.all('rewrite')) {
        const [pattern = '', replacement = '', flag] = node.words
        const isCopied =
          flag === 'redirect' || flag === 'permanent' || /\?./.test(replacement) || /^https?:/.test(replacement)
        if (!isCopied) continue
        const used = new Set(variablesIn(replacement).filter((name) => /^\d$/.test(name)))
        const both = nestedGroups(pattern).find(([outer, inner]) => used.has(String(outer)) && used.has(String(inner)))
        if (both !== undefined) report(node, `$${both[1]} is a part of $${both[0]}`, { word: node.args[1] })
      }
    },
  },
]

/** A block with such statements in it counts, too: `if ($x = $1)` does, and what stands in it. */
function usesNumber(node: Node): boolean {
  if (node.words.some((word) => variablesIn(word).some((name) => /^\d$/.test(name)))) return true
  return node.name === 'if' && node.children.some(usesNumber)
}

/** Pairs of capturing groups of which one is inside the other, by their numbers. */
function nestedGroups(pattern: string): (readonly [outer: number, inner: number])[] {
  const open: number[] = []
  const pairs: (readonly [number, number])[] = []
  let count = 0
  for (const [text] of pattern.matchAll(/\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?P?<(?![=!])\w+>|\?)?|\)/g)) {
    if (text === ')') open.pop()
    else if (text === '(' || /^\(\?P?</.test(text)) {
      count++
      for (const outer of open) if (outer > 0) pairs.push([outer, count])
      open.push(count)
    } else if (text === '(?') open.push(0)
  }
  return pairs
}

/** The servers of one address, when its default server asks for certificates and another one trusts others. */
function sharedSessions(model: Model): Node[] {
  const found: Node[] = []
  for (const listens of listenersOf(model).values()) {
    const tls = listens.filter(({ words }) => words.includes('ssl'))
    const standard = (tls.find(({ words }) => words.includes('default_server')) ?? tls[0])?.parent
    const asking = standard && model.effective(standard, 'ssl_verify_client').at(-1)
    if (asking === undefined || asking.first === 'off') continue
    const trusted = (server: Node): string => model.setting(server, 'ssl_client_certificate') ?? ''
    const isOther = tls.some(({ parent }) => asks(model, parent!) && trusted(parent!) !== trusted(standard!))
    const resumes =
      model.setting(standard!, 'ssl_session_tickets') !== 'off' ||
      (model.setting(standard!, 'ssl_session_cache') ?? 'none').includes('shared')
    if (isOther && resumes) found.push(asking)
  }
  return found
}

function asks(model: Model, server: Node): boolean {
  return (model.setting(server, 'ssl_verify_client') ?? 'off') !== 'off'
}

/** An address that is neither this machine's nor one of a private network. */
function isFarAway(text: string): boolean {
  return (
    /^\d+\.\d+\.\d+\.\d+(?::\d+)?$/.test(text) &&
    !/^(?:127\.|10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(text)
  )
}
