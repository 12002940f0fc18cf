/**
 * `*_cache_purge`, which three programs spell in three ways:
 *
 *   string ...                                       NGINX Plus: a request is a purge when a value is neither empty nor 0
 *   on | off | method [purge_all] [from all | CIDR]  the purge module: requests of that method are
 *   zone key                                         the purge module: every request of the location is
 *
 * The last one is told from the first by a zone that is a plain name.
 */
import { raw } from '../../../config/args.ts'
import { mapped } from '../../../config/combine.ts'
import { type Args, type Context, directive, type ReadContext } from '../../../config/directive.ts'
import type { Word } from '../../../config/source.ts'
import { type Cidr, parseCidr } from '../../../lib/cidr.ts'
import { readTemplate, type Template } from '../../../value/template.ts'

const HSL: readonly Context[] = ['http', 'server', 'location']
const METHOD = /^[A-Z]+$/
/** `on` of the purge module stands for this method. */
const METHOD_DEFAULT = 'PURGE'

/** What one `cache_purge` says. */
export type PurgeRule =
  | { readonly kind: 'values'; readonly values: readonly Template[] }
  | {
      readonly kind: 'method'
      readonly method: string
      readonly all: boolean
      readonly from: readonly Cidr[] | undefined
    }
  | { readonly kind: 'place'; readonly zone: Word; readonly key: Template }

const purgeRule: Args<PurgeRule | undefined> = mapped(
  raw('string ... | zone key | on | off | method [purge_all] [from all | CIDR ...]', { min: 1 }),
  (words, _, at): PurgeRule | undefined => {
    const [first, second] = words as readonly [Word, Word?]
    if (first.text === 'off') return undefined
    if (isMethodForm(words)) return methodRule(words, at)
    const plain = !first.text.includes('$')
    if (words.length === 2 && plain && second !== undefined) {
      if (at.context !== 'location') at.fail(`"${at.directive.text}" directive with a zone is not allowed here`, first)
      return { kind: 'place', zone: first, key: readTemplate(second, at) }
    }
    return { kind: 'values', values: words.map((word) => readTemplate(word, at)) }
  },
)

function isMethodForm([first, second]: readonly Word[]): boolean {
  if (first!.text !== 'on' && !METHOD.test(first!.text)) return false
  return second === undefined || second.text === 'from' || second.text === 'purge_all'
}

function methodRule(words: readonly Word[], at: ReadContext): PurgeRule {
  const [first, ...rest] = words
  const method = first!.text === 'on' ? METHOD_DEFAULT : first!.text
  const all = rest[0]?.text === 'purge_all'
  const [from, ...whom] = all ? rest.slice(1) : rest
  if (from === undefined) return { kind: 'method', method, all, from: undefined }
  if (from.text !== 'from') return at.fail(`invalid parameter "${from.text}", expected "from" keyword`, from)
  if (whom.length === 0) return at.fail('"from" needs "all" or addresses', from)
  if (whom.some(({ text }) => text === 'all')) return { kind: 'method', method, all, from: undefined }
  return { kind: 'method', method, all, from: whom.map((word) => network(word, at)) }
}

function network(word: Word, at: ReadContext): Cidr {
  const cidr = parseCidr(word.text)
  if (cidr === undefined) return at.fail(`invalid parameter "${word.text}"`, word)
  if (cidr.lowBits) at.warn(`low address bits of ${word.text} are meaningless`, word)
  return cidr
}

/** The directive without its prefix. */
export const cachePurge = directive({
  in: HSL,
  args: purgeRule,
  doc: 'Which requests remove responses from the cache instead of asking for them.',
})
