/** The directives of ngx_http_proxy_module that are not common to all protocols. */
import { flag, oneOf, raw, tableSize } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type Args, type Context, directive, directives } from '../../../config/directive.ts'
import { setHeader } from '../../../http/exchange/compile/request-fields.ts'
import type { Pattern } from '../../../value/regex.ts'
import { compilePattern } from '../../../value/regex.ts'
import { readTemplate, type Template, template } from '../../../value/template.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']

/** One `proxy_redirect`. */
export type RedirectRule =
  | { readonly kind: 'default' }
  | { readonly kind: 'off' }
  | { readonly kind: 'text'; readonly from: Template; readonly to: Template }
  | { readonly kind: 'regex'; readonly pattern: Pattern; readonly to: Template }

const redirectRule: Args<RedirectRule> = mapped(
  raw('default | off | redirect replacement', { min: 1, max: 2 }),
  ([from, to], _, at): RedirectRule => {
    if (to === undefined) {
      if (from!.text === 'default') return { kind: 'default' }
      if (from!.text === 'off') return { kind: 'off' }
      return at.fail(`invalid parameter "${from!.text}"`, from)
    }
    const replacement = readTemplate(to, at)
    if (!from!.text.startsWith('~')) return { kind: 'text', from: readTemplate(from!, at), to: replacement }
    const caseless = from!.text.startsWith('~*')
    const source = from!.text.slice(caseless ? 2 : 1)
    const pattern = compilePattern(source, { caseless }, (message) => at.fail(message, from))
    return { kind: 'regex', pattern, to: replacement }
  },
)

const tables = { withoutEffect: 'Viaduct sizes its tables itself.' }

export const proxyDirectives = {
  proxy_pass: directive({
    in: ['location', 'if', 'limit_except'],
    args: template('URL'),
    inheritance: 'pseudo',
    doc: 'The protocol and address of the back end, with an optional URI that replaces the name of the location.',
  }),
  proxy_set_header: directives({
    in: HSL,
    args: setHeader,
    doc: 'Sets or (with an empty value) removes a field of the request that is passed on.',
  }),
  proxy_http_version: directive({
    in: HSL,
    args: oneOf('1.0', '1.1', '2'),
    default: '1.1',
    doc: 'The version of HTTP that back ends are spoken to with.',
  }),
  proxy_pass_trailers: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Passes the trailers of responses on.',
  }),
  proxy_method: directive({ in: HSL, args: template('method'), doc: 'The method of passed requests.' }),
  proxy_set_body: directive({ in: HSL, args: template('value'), doc: 'The body of passed requests.' }),
  proxy_redirect: directives({
    in: HSL,
    args: redirectRule,
    alone: (rule) => rule.kind === 'off',
    doc: 'What replaces the beginning of Location and Refresh of back ends.',
  }),
  proxy_headers_hash_max_size: directive({
    in: HSL,
    args: tableSize,
    default: '512',
    doc: 'Table of fields.',
    ...tables,
  }),
  proxy_headers_hash_bucket_size: directive({
    in: HSL,
    args: tableSize,
    default: '64',
    doc: 'Table of fields.',
    ...tables,
  }),
}
