/**
 * `proxy_cookie_domain`, `proxy_cookie_path` and `proxy_cookie_flags`: attributes of Set-Cookie, made to fit the outside
 * (ngx_http_proxy_rewrite_cookie). A cookie that no rule concerns stays as the back end wrote it.
 */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type Context, directives } from '../../../config/directive.ts'
import type { Word } from '../../../config/source.ts'
import type { AttachContext } from '../../../http/compile/module.ts'
import type { Text } from '../../../http/request/plan.ts'
import type { Request } from '../../../http/request/request.ts'
import { compilePattern, type Pattern } from '../../../value/regex.ts'
import { readTemplate, type Template } from '../../../value/template.ts'

const IN: readonly Context[] = ['http', 'server', 'location']

/** `off`, or what is looked for and what replaces it. */
type AttributeRule =
  | { readonly kind: 'off' }
  | { readonly kind: 'text'; readonly from: Template; readonly to: Template }
  | { readonly kind: 'regex'; readonly pattern: Pattern; readonly to: Template }

const attributeRule = (what: 'domain' | 'path') =>
  mapped(raw(`${what} replacement | off`, { min: 1, max: 2 }), ([from, to], _, at): AttributeRule => {
    if (to === undefined) {
      return from!.text === 'off' ? { kind: 'off' } : at.fail(`invalid parameter "${from!.text}"`, from)
    }
    if (!from!.text.startsWith('~')) {
      // Domains are compared and replaced without the dot that may stand before them.
      const cut = (word: Word): Word =>
        what === 'domain' && word.text.startsWith('.') ? { ...word, text: word.text.slice(1) } : word
      return { kind: 'text', from: readTemplate(cut(from!), at), to: readTemplate(cut(to), at) }
    }
    const replacement = readTemplate(to, at)
    const caseless = what === 'domain' || from!.text.startsWith('~*')
    const source = from!.text.replace(/^~\*?/, '')
    const pattern = compilePattern(source, { caseless }, (message) => at.fail(message, from))
    return { kind: 'regex', pattern, to: replacement }
  })

/** `off`, or the flags of cookies with a name. */
type FlagRule =
  | { readonly kind: 'off' }
  | { readonly kind: 'rule'; readonly cookie: Template | Pattern; readonly flags: readonly Template[] }

const FLAGS: ReadonlySet<string> = new Set([
  'secure',
  'nosecure',
  'httponly',
  'nohttponly',
  'samesite=strict',
  'samesite=lax',
  'samesite=none',
  'nosamesite',
])

const flagRule = mapped(raw('off | cookie [flag ...]', { min: 1, max: 4 }), ([cookie, ...flags], _, at): FlagRule => {
  if (flags.length === 0 && cookie!.text === 'off') return { kind: 'off' }
  if (flags.length === 0) return at.fail(`invalid parameter "${cookie!.text}"`, cookie)
  const templates = flags.map((word) => {
    const flag = readTemplate(word, at)
    const { constant = '' } = flag
    // nginx finds out when there is a cookie, and says so in debug lines alone.
    if (constant !== '' && !FLAGS.has(constant.toLowerCase()))
      at.warn(`the unknown flag "${constant}" is ignored`, word)
    return flag
  })
  if (!cookie!.text.startsWith('~')) return { kind: 'rule', cookie: readTemplate(cookie!, at), flags: templates }
  const source = cookie!.text.slice(1)
  const pattern = compilePattern(source, { caseless: true }, (message) => at.fail(message, cookie))
  return { kind: 'rule', cookie: pattern, flags: templates }
})

/** The directives, mounted by the proxy module. */
export const cookieDirectives = {
  proxy_cookie_domain: directives({
    in: IN,
    args: attributeRule('domain'),
    alone: (rule) => rule.kind === 'off',
    doc: 'What replaces the domain of cookies that back ends set.',
  }),
  proxy_cookie_path: directives({
    in: IN,
    args: attributeRule('path'),
    alone: (rule) => rule.kind === 'off',
    doc: 'What replaces the beginning of the path of cookies that back ends set.',
  }),
  proxy_cookie_flags: directives({
    in: IN,
    args: flagRule,
    alone: (rule) => rule.kind === 'off',
    doc: 'Sets or removes flags of cookies: secure, httponly, samesite. The first rule for a name holds.',
  }),
}

interface CookieConf {
  readonly proxy_cookie_domain: readonly AttributeRule[]
  readonly proxy_cookie_path: readonly AttributeRule[]
  readonly proxy_cookie_flags: readonly FlagRule[]
}

interface Attribute {
  key: string
  /** Undefined: the attribute is a bare word. */
  value: string | undefined
}

type Rewriter = (r: Request, value: string) => string | undefined
type FlagFinder = (r: Request, name: string) => readonly string[] | undefined

/** Compiles what is done to a Set-Cookie; undefined when nothing is. The result is undefined for a cookie that stays. */
export function compileCookies(conf: CookieConf, at: AttachContext): Rewriter | undefined {
  const domains = compileAttribute(conf.proxy_cookie_domain, domainRule, at)
  const paths = compileAttribute(conf.proxy_cookie_path, pathRule, at)
  const flags = compileFlags(conf.proxy_cookie_flags, at)
  if (domains === undefined && paths === undefined && flags === undefined) return undefined
  return (r, cookie) => {
    const attributes = parseCookie(cookie)
    if (attributes[0]!.value === undefined) return undefined
    let changed = rewriteAttribute(r, attributes, 'domain', domains)
    changed = rewriteAttribute(r, attributes, 'path', paths) || changed
    const wanted = flags?.(r, attributes[0]!.key)
    if (wanted !== undefined && wanted.length > 0) {
      editFlags(attributes, wanted)
      changed = true
    }
    return changed
      ? attributes.map(({ key, value }) => (value === undefined ? key : `${key}=${value}`)).join('; ')
      : undefined
  }
}

function compileAttribute(
  rules: readonly AttributeRule[],
  make: (from: Text, to: Text) => Rewriter,
  at: AttachContext,
): Rewriter | undefined {
  if (rules.length === 0 || rules.some((rule) => rule.kind === 'off')) return undefined
  const compiled = rules.map((rule): Rewriter => {
    if (rule.kind === 'off') return () => undefined
    const to = at.text(rule.to)
    if (rule.kind === 'text') return make(at.text(rule.from), to)
    const pattern = at.pattern(rule.pattern)
    return (r, value) => (r.match(pattern, value) ? to(r) : undefined)
  })
  return (r, value) => {
    for (const rule of compiled) {
      const replaced = rule(r, value)
      if (replaced !== undefined) return replaced
    }
    return undefined
  }
}

function domainRule(from: Text, to: Text): Rewriter {
  return (r, value) => {
    const dot = value.startsWith('.') ? '.' : ''
    return value.slice(dot.length).toLowerCase() === from(r).toLowerCase() ? dot + to(r) : undefined
  }
}

function pathRule(from: Text, to: Text): Rewriter {
  return (r, value) => {
    const prefix = from(r)
    return value.startsWith(prefix) ? to(r) + value.slice(prefix.length) : undefined
  }
}

function rewriteAttribute(r: Request, attributes: Attribute[], name: string, rule: Rewriter | undefined): boolean {
  if (rule === undefined) return false
  let changed = false
  for (const attribute of attributes.slice(1)) {
    if (attribute.value === undefined || attribute.key.toLowerCase() !== name) continue
    const replaced = rule(r, attribute.value)
    if (replaced === undefined) continue
    attribute.value = replaced
    changed = true
  }
  return changed
}

function compileFlags(rules: readonly FlagRule[], at: AttachContext): FlagFinder | undefined {
  if (rules.length === 0 || rules.some((rule) => rule.kind === 'off')) return undefined
  const compiled = rules.flatMap((rule) => {
    if (rule.kind === 'off') return []
    const { cookie } = rule
    const flags = rule.flags.map((flag) => at.text(flag))
    if (!('parts' in cookie)) {
      const pattern = at.pattern(cookie)
      return [{ matches: (r: Request, name: string) => r.match(pattern, name), flags }]
    }
    const wanted = at.text(cookie)
    return [{ matches: (r: Request, name: string) => wanted(r).toLowerCase() === name.toLowerCase(), flags }]
  })
  return (r, name) => {
    const rule = compiled.find(({ matches }) => matches(r, name))
    return rule?.flags.map((flag) => flag(r).toLowerCase()).filter((flag) => FLAGS.has(flag))
  }
}

const SAMESITE: Readonly<Record<string, string>> = {
  'samesite=strict': 'Strict',
  'samesite=lax': 'Lax',
  'samesite=none': 'None',
}

function editFlags(attributes: Attribute[], wanted: readonly string[]): void {
  setFlag(attributes, 'Secure', wanted.includes('secure'), wanted.includes('nosecure'))
  setFlag(attributes, 'HttpOnly', wanted.includes('httponly'), wanted.includes('nohttponly'))
  const site = wanted.map((flag) => SAMESITE[flag]).find((value) => value !== undefined)
  const present = attributes.slice(1).filter(({ key }) => key.toLowerCase() === 'samesite')
  if (site === undefined) {
    if (wanted.includes('nosamesite')) removeAttribute(attributes, 'samesite')
  } else if (present.length === 0) attributes.push({ key: 'SameSite', value: site })
  else {
    for (const attribute of present) {
      if (attribute.value?.toLowerCase() === site.toLowerCase()) continue
      attribute.key = 'SameSite'
      attribute.value = site
    }
  }
}

function setFlag(attributes: Attribute[], name: string, on: boolean, off: boolean): void {
  const lower = name.toLowerCase()
  if (on) {
    if (!attributes.slice(1).some(({ key }) => key.toLowerCase() === lower))
      attributes.push({ key: name, value: undefined })
  } else if (off) removeAttribute(attributes, lower)
}

function removeAttribute(attributes: Attribute[], lower: string): void {
  for (let i = attributes.length - 1; i > 0; i--) {
    if (attributes[i]!.key.toLowerCase() === lower) attributes.splice(i, 1)
  }
}

function parseCookie(cookie: string): Attribute[] {
  return cookie.split(';').map((part) => {
    const equals = part.indexOf('=')
    if (equals < 0) return { key: trimSpaces(part), value: undefined }
    return { key: trimSpaces(part.slice(0, equals)), value: trimSpaces(part.slice(equals + 1)) }
  })
}

function trimSpaces(text: string): string {
  return text.replace(/^ +| +$/g, '')
}
