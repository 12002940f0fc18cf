/**
 * `error_log_tag` (ngx_http_core_module of NGINX Plus): says more about a request behind each message about it, in the
 * form that the rest has: `, name: "value"`. Tags without a value are left out.
 */
import { raw } from '../../config/args.ts'
import { mapped } from '../../config/combine.ts'
import { directives } from '../../config/directive.ts'
import { httpModule } from '../../http/compile/module.ts'
import type { Text } from '../../http/request/plan.ts'
import type { Request } from '../../http/request/request.ts'
import { readTemplate } from '../../value/template.ts'

const tagArgs = mapped(raw('name value', { min: 2, max: 2 }), ([name, value], _, at) => ({
  name: name!.text,
  value: readTemplate(value!, at),
}))

/** The module list's entry. */
export const errorLogTagModule = httpModule({
  name: 'http_error_log_tag',
  doc: 'What else the error log tells of a request.',
  directives: {
    error_log_tag: directives({
      in: ['http', 'server', 'location'],
      args: tagArgs,
      doc: 'Adds a name and a value to messages about requests.',
    }),
  },
  attach({ error_log_tag: tags }, plan, at) {
    if (tags.length === 0) return
    const compiled: readonly Tag[] = tags.map(({ name, value }) => ({ name, text: at.text(value) }))
    plan.tag(tagsOf, compiled)
  },
})

interface Tag {
  readonly name: string
  readonly text: Text
}

/** A value may have something to log, too: that is then told without tags. */
let telling = false

function tagsOf(r: Request, tags: readonly Tag[]): string {
  if (telling) return ''
  telling = true
  let all = ''
  for (let i = 0; i < tags.length; i++) {
    const { name, text } = tags[i]!
    const value = text(r)
    if (value !== '') all += `, ${name}: "${value}"`
  }
  telling = false
  return all
}
