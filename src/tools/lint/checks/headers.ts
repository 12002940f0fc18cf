/** Response fields: lists that a block loses, fields that are not sent, values that browsers refuse. */

import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { variablesIn } from '../facts.ts'
import { mayBreakLines, originsOf } from '../flow.ts'

const SECURITY =
  /^(?:strict-transport-security|content-security-policy|x-frame-options|x-content-type-options|referrer-policy|permissions-policy|cross-origin-\w+-policy)$/i

/** Directives whose list a block loses by having one of its own. */
const LISTS = [
  'proxy_set_header',
  'fastcgi_param',
  'uwsgi_param',
  'scgi_param',
  'grpc_set_header',
  'proxy_hide_header',
  'fastcgi_hide_header',
]

/** The directives of the nearest block around that has some. */
function outerList(block: Node, name: string): readonly Node[] {
  for (let at = block.parent; at !== undefined; at = at.parent) {
    const own = at.own(name)
    if (own.length > 0) return own
  }
  return []
}

function lost(block: Node, name: string): Node[] {
  const own = new Set(block.own(name).map(({ first }) => first.toLowerCase()))
  return outerList(block, name).filter(({ first }) => !own.has(first.toLowerCase()))
}

function listed(nodes: readonly Node[]): string {
  return [...new Set(nodes.map(({ first }) => first))].join(', ')
}

function fields(model: Model, name: RegExp): Node[] {
  return model.all('add_header', 'more_set_headers', 'add_trailer').filter((node) => name.test(node.first))
}

export const headerChecks: readonly Check[] = [
  {
    id: 'add_header_redefinition',
    level: 'low',
    title: 'add_header in a block drops those of the blocks around it',
    why: 'A block that has an add_header of its own inherits none. Security fields vanish that way from single locations.',
    advice: 'Repeat the fields (an include keeps them in one place), or say `add_header_inherit merge`.',
    bad: 'server { add_header X-Frame-Options DENY; location / { add_header Cache-Control no-cache; } }',
    good: 'server { add_header X-Frame-Options DENY; location / { add_header X-Frame-Options DENY; add_header Cache-Control no-cache; } }',
    find(model, report) {
      for (const block of new Set(model.all('add_header').map((node) => node.parent!))) {
        const gone = lost(block, 'add_header')
        if (gone.length === 0 || ['merge', 'off'].includes(model.setting(block, 'add_header_inherit') ?? '')) continue
        const secure = gone.filter(({ first }) => SECURITY.test(first))
        report(block.own('add_header')[0], `this block has fields of its own and so loses: ${listed(gone)}`, {
          level: secure.length > 0 ? 'medium' : 'low',
        })
      }
    },
  },
  {
    id: 'proxy_set_header_redefinition',
    level: 'low',
    title: 'a list in a block drops the one of the blocks around it',
    why: 'proxy_set_header, fastcgi_param and others are inherited only by blocks that have none: Host or X-Forwarded-For may be gone.',
    advice: 'Repeat what is needed in the block; an include keeps it in one place.',
    bad: 'server { proxy_set_header Host $host; location / { proxy_set_header X-Real-IP $remote_addr; proxy_pass http://127.0.0.1:1; } }',
    good: 'server { location / { proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_pass http://127.0.0.1:1; } }',
    find(model, report) {
      for (const name of LISTS) {
        for (const block of new Set(model.all(name).map((node) => node.parent!))) {
          const gone = lost(block, name)
          if (gone.length === 0) continue
          const level = gone.some(({ first }) => /^(?:host|SCRIPT_FILENAME)$/i.test(first)) ? 'medium' : 'low'
          report(block.own(name)[0], `this block has ${name} of its own and so loses: ${listed(gone)}`, { level })
        }
      }
    },
  },
  {
    id: 'add_header_content_type',
    level: 'low',
    title: 'Content-Type is set by add_header',
    why: 'add_header adds a second Content-Type beside the one that there is; clients take either.',
    advice: 'Use default_type, or types for an extension.',
    bad: 'location / { add_header Content-Type text/plain; return 200 ok; }',
    good: 'location / { default_type text/plain; return 200 ok; }',
    find(model, report) {
      for (const node of model.all('add_header')) {
        if (!/^content-type$/i.test(node.first)) continue
        const hides = model
          .effective(node.parent!, 'proxy_hide_header')
          .some(({ first }) => /^content-type$/i.test(first))
        if (!hides) report(node, 'the response has two Content-Type fields', { word: node.args[0] })
      }
    },
  },
  {
    id: 'add_header_multiline',
    level: 'low',
    title: 'a field has a line break in it',
    why: 'Folded fields are obsolete (RFC 9112): HTTP/2 refuses them and clients read them differently.',
    advice: 'Write the value in one line.',
    bad: 'server { add_header Content-Security-Policy "\n default-src \'self\'"; }',
    good: 'server { add_header Content-Security-Policy "default-src \'self\'"; }',
    find(model, report) {
      for (const node of model.all('add_header', 'proxy_set_header', 'more_set_headers', 'add_trailer')) {
        const word = node.args.find(({ text }, i) => /[\r\n]/.test(text) && !/^-[ts]$/.test(node.words[i - 1] ?? ''))
        if (word === undefined) continue
        const text = `"${word.text
          .replaceAll(/\s*[\r\n]+\s*/g, ' ')
          .trim()
          .replaceAll('"', '\\"')}"`
        report(node, 'the value has a line break', {
          word,
          fix: { what: 'write it in one line', edits: [{ kind: 'replace', word, text }] },
        })
      }
    },
  },
  {
    id: 'security_header_without_always',
    level: 'low',
    title: 'a security field is missing from error pages',
    why: 'add_header without "always" is left out of 4xx and 5xx responses.',
    advice: 'Add "always".',
    bad: 'server { add_header X-Content-Type-Options nosniff; }',
    good: 'server { add_header X-Content-Type-Options nosniff always; }',
    find(model, report) {
      for (const node of model.all('add_header')) {
        if (!SECURITY.test(node.first) || node.words.includes('always') || node.args.length < 2) continue
        const text = ' always'
        report(node, `${node.first} is not sent with errors`, {
          word: node.args[0],
          fix: { what: 'add "always"', edits: [{ kind: 'words', node, text }] },
        })
      }
    },
  },
  {
    id: 'hsts_header',
    level: 'low',
    title: 'Strict-Transport-Security is too short or not where it counts',
    why: 'Browsers take the field over TLS only, and preload lists want a year; a short time leaves gaps.',
    advice: 'Send `max-age=31536000` or more from servers with TLS.',
    bad: 'server { listen 443 ssl; add_header Strict-Transport-Security "max-age=3600" always; }',
    good: 'server { listen 443 ssl; add_header Strict-Transport-Security "max-age=63072000" always; }',
    find(model, report) {
      for (const node of fields(model, /^strict-transport-security$/i)) {
        const value = node.words[1] ?? ''
        if (value.includes('$')) continue
        const age = /max-age\s*=\s*"?(\d+)/i.exec(value)?.[1]
        if (age === undefined)
          report(node, 'the value has no max-age: browsers ignore it', { level: 'medium', word: node.args[1] })
        // 0 takes it back, which is meant.
        else if (Number(age) < 15_552_000 && Number(age) > 0)
          report(node, `max-age=${age} is less than half a year`, { word: node.args[1] })
      }
    },
  },
  {
    id: 'cors_credentials_with_any_origin',
    level: 'medium',
    title: 'credentials for any origin',
    why: 'Browsers refuse credentials when Access-Control-Allow-Origin is *. With the origin sent back, every site may act as the user.',
    advice: 'Allow the origins that you know, by a map over $http_origin.',
    bad: 'server { add_header Access-Control-Allow-Origin *; add_header Access-Control-Allow-Credentials true; }',
    good: 'server { add_header Access-Control-Allow-Origin https://app.example.com; add_header Access-Control-Allow-Credentials true; }',
    find(model, report) {
      for (const node of fields(model, /^access-control-allow-origin$/i)) {
        const isAllowed = node
          .parent!.own('add_header')
          .some(({ first, words }) => /^access-control-allow-credentials$/i.test(first) && words[1] === 'true')
        if (!isAllowed) continue
        const value = node.words[1] ?? ''
        if (value === '*') report(node, 'browsers refuse credentials with the origin *', { word: node.args[1] })
        else if (/^\$\{?http_origin\}?$/i.test(value) && node.up('if') === undefined) {
          report(node, 'any site may act as the user: its origin is sent back unchecked', { word: node.args[1] })
        }
      }
    },
  },
  {
    id: 'cors_duplicate_origin',
    level: 'info',
    title: 'Access-Control-Allow-Origin may be there twice',
    why: 'When the back end sends the field too, browsers see two and refuse both.',
    advice: 'Hide the one of the back end: `proxy_hide_header Access-Control-Allow-Origin`.',
    bad: 'location / { proxy_pass http://127.0.0.1:1; add_header Access-Control-Allow-Origin *; }',
    good: 'location / { proxy_pass http://127.0.0.1:1; proxy_hide_header Access-Control-Allow-Origin; add_header Access-Control-Allow-Origin *; }',
    find(model, report) {
      for (const node of fields(model, /^access-control-allow-origin$/i)) {
        const block = node.parent!
        if (!block.has('proxy_pass')) continue
        const hides = model
          .effective(block, 'proxy_hide_header')
          .some(({ first }) => /^access-control-allow-origin$/i.test(first))
        if (!hides) report(node, 'the back end may send this field too', { word: node.args[0] })
      }
    },
  },
  {
    id: 'http_splitting',
    level: 'high',
    title: 'a value from the URI may hold line breaks',
    why: '$uri and $document_uri are decoded: %0d%0a in a request becomes a line break, and nginx writes it into the head, where an attacker adds fields or a second response. (Viaduct drops such values.)',
    advice: 'Use $request_uri, which stays as the client sent it.',
    bad: 'server { return 301 https://$host$uri; }',
    good: 'server { return 301 https://$host$request_uri; }',
    find(model, report) {
      for (const node of model.all(
        'return',
        'rewrite',
        'add_header',
        'proxy_set_header',
        'proxy_pass',
        'add_trailer',
      )) {
        const word = splittingWord(node)
        if (word === undefined) continue
        const name = variablesIn(word.text).find((one) => one === 'uri' || one === 'document_uri')
        if (name === undefined) {
          // What rewrite has matched, it escapes.
          if (node.name === 'rewrite') continue
          const capture = variablesIn(word.text)
            .flatMap((one) => originsOf(node, one))
            .find((origin) => origin.kind === 'capture' && mayBreakLines(origin.group))
          if (capture?.kind === 'capture')
            report(node, `"${capture.group}" also fits a line break, and so $${capture.name} may hold one`, {
              word,
              level: 'medium',
            })
          continue
        }
        const text = word.text.replaceAll(/\$(?:uri|document_uri)\b|\$\{(?:uri|document_uri)\}/gi, '$request_uri')
        const isSafe = node.name === 'return' && !text.includes('?') && !word.quoted && !text.includes('$is_args')
        const fix = { what: 'use $request_uri', edits: [{ kind: 'replace', word, text }] } as const
        report(node, `$${name} is decoded and may hold line breaks`, isSafe ? { word, fix } : { word })
      }
    },
  },
]

/** The word of a directive that ends up in a head. */
function splittingWord(node: Node): Node['args'][number] | undefined {
  const { name, words, args } = node
  if (name === 'return')
    return /^30[12378]$/.test(words[0] ?? '')
      ? args[1]
      : /^(?:https?:|\$scheme)/.test(words[0] ?? '')
        ? args[0]
        : undefined
  if (name === 'rewrite')
    return /^(?:https?:|\$scheme)/.test(words[1] ?? '') || words[2] === 'redirect' || words[2] === 'permanent'
      ? args[1]
      : undefined
  // Only a target with variables is sent as it is.
  if (name === 'proxy_pass') return args[0]
  return args[1]
}
