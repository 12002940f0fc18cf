/** What a word is, for who points at it: the directive's declaration, what is in effect and from where, what a name stands for. */
import type { Directive } from '../../config/directive.ts'
import { declarationText, directivePage, factsAbout } from '../explain/directive.ts'
import type { Model } from '../model/model.ts'
import type { Node } from '../model/node.ts'
import { BUILT_IN } from './complete.ts'
import type { Occurrence } from './symbols.ts'

const INHERITED_MAX = 24

/** About the directive that a statement gives. */
export function directiveText(model: Model, node: Node, nameOf: (file: string) => string): string {
  const parts: string[] = []
  const { directive, name } = node
  if (directive !== undefined) parts.push(declaredText(name, directive))
  const around = node.parent === undefined || directive?.kind === 'block' ? [] : outer(model, node)
  if (around.length > 0)
    parts.push(`Without it, here: \`${around.map(({ text }) => text).join('; ')}\` (${place(around[0]!, nameOf)}).`)
  if (node.opens === 'location' || node.opens === 'server') parts.push(...inheritedText(node, nameOf))
  return parts.join('\n\n')
}

/** The declaration, what is written about it, and where to read on. */
export function declaredText(name: string, directive: Directive<unknown>): string {
  const facts = factsAbout(name, directive)
  return facts === undefined ? declarationText(name, directive) : directivePage(facts)
}

/** What would hold if the block had none of its own. */
function outer(model: Model, node: Node): readonly Node[] {
  const block = node.parent!.parent
  if (block === undefined || node.directive?.inheritance !== 'inherit') return []
  return model.effective(block, node.name)
}

/** What a block has from those around it. */
function inheritedText(node: Node, nameOf: (file: string) => string): string[] {
  const taken = new Set(node.children.map(({ name }) => name))
  const lines: string[] = []
  for (let at = node.parent; at?.parent !== undefined; at = at.parent) {
    for (const child of at.children) {
      const { directive } = child
      if (
        directive === undefined ||
        directive.kind === 'block' ||
        directive.inheritance !== 'inherit' ||
        taken.has(child.name)
      )
        continue
      lines.push(`- \`${child.text}\` (${place(child, nameOf)})`)
    }
    for (const child of at.children) taken.add(child.name)
  }
  if (lines.length === 0) return []
  const more = lines.length > INHERITED_MAX ? [`- and ${lines.length - INHERITED_MAX} more`] : []
  return [['Inherited:', '', ...lines.slice(0, INHERITED_MAX), ...more].join('\n')]
}

/** About a name. */
export function nameText(
  { kind, name, key }: Occurrence,
  all: readonly Occurrence[],
  nameOf: (file: string) => string,
): string {
  const made = all.filter((one) => one.kind === kind && one.key === key && one.defines)
  const uses = all.filter((one) => one.kind === kind && one.key === key && !one.defines).length
  if (made.length > 0) {
    const lines = made.slice(0, 5).map(({ node }) => `- \`${node.text}\` (${place(node, nameOf)})${serversOf(node)}`)
    return [`${titleOf(kind)} \`${name}\`, used ${uses === 1 ? 'once' : `${uses} times`}:`, '', ...lines].join('\n')
  }
  if (kind !== 'variable') return `${titleOf(kind)} \`${name}\` is made nowhere in this configuration.`
  const module =
    BUILT_IN.get(key) ?? [...BUILT_IN].find(([one]) => one.endsWith('…') && key.startsWith(one.slice(0, -1)))?.[1]
  return module === undefined
    ? `\`$${name}\` is made nowhere in this configuration.`
    : `\`$${name}\` of the module \`${module}\``
}

function titleOf(kind: Occurrence['kind']): string {
  return { upstream: 'Upstream', variable: 'Variable', zone: 'Zone', location: 'Location', log_format: 'Log format' }[
    kind
  ]
}

function serversOf(node: Node): string {
  if (node.name !== 'upstream') return ''
  return node
    .own('server')
    .map(({ text }) => `\n  - \`${text}\``)
    .join('')
}

function place({ at }: Node, nameOf: (file: string) => string): string {
  return `${nameOf(at.file)}:${at.line}`
}
