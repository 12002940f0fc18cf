/** `proxy_redirect`: Location and Refresh of back ends, made to fit the outside (ngx_http_proxy_rewrite_redirect). */
import type { AttachContext } from '../../../http/compile/module.ts'
import type { Request } from '../../../http/request/request.ts'
import { literal } from '../../../value/template.ts'
import type { RedirectRule } from './directives.ts'
import type { ProxyTarget } from './target.ts'

/** Returns what replaces `value`, or undefined when it stays. */
type Rule = (r: Request, value: string) => string | undefined

/** Compiles the rules that hold in a location; without any, nginx's default one. */
export function compileRedirects(rules: readonly RedirectRule[], target: ProxyTarget, at: AttachContext): Rule {
  const given: readonly RedirectRule[] = rules.length === 0 ? [{ kind: 'default' }] : rules
  if (given.some((rule) => rule.kind === 'off')) return () => undefined
  const compiled = given.flatMap((rule) => compileRule(rule, target, at) ?? [])
  if (compiled.length === 0) return () => undefined
  return (r, value) => {
    // Refresh: `5; url=http://...`.
    const url = /^[^;]*;\s*url=/i.exec(value)
    const skipped = url === null ? '' : url[0]
    for (const rule of compiled) {
      const replaced = rule(r, value.slice(skipped.length))
      if (replaced !== undefined) return skipped + replaced
    }
    return undefined
  }
}

function compileRule(rule: RedirectRule, target: ProxyTarget, at: AttachContext): Rule | undefined {
  if (rule.kind === 'default') return defaultRule(target, at)
  if (rule.kind === 'off') return undefined
  const to = at.text(rule.to)
  if (rule.kind === 'regex') {
    const pattern = at.pattern(rule.pattern)
    return (r, value) => (r.match(pattern, value) ? to(r) : undefined)
  }
  const from = at.text(rule.from)
  return prefixRule(from, to)
}

function prefixRule(from: (r: Request) => string, to: (r: Request) => string): Rule {
  return (r, value) => {
    const prefix = from(r)
    return value.startsWith(prefix) ? to(r) + value.slice(prefix.length) : undefined
  }
}

function defaultRule(target: ProxyTarget, at: AttachContext): Rule | undefined {
  const { url, uri, location } = target
  // With variables there is nothing to compare with: nginx leaves the fields alone.
  if (url === undefined) return undefined
  const from = at.text(literal(uri === '' ? `${url}/` : url))
  const to = at.text(literal(uri === '' ? '/' : location.name))
  return prefixRule(from, to)
}
