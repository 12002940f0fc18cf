/** Where the values of variables come from: the client, a capture of a pattern, or other variables by `set`. */
import type { Node } from '../model/node.ts'
import { headOf, variablesIn } from './facts.ts'

/** A client chooses it freely, or a pattern has matched it. */
export type Origin =
  | { readonly kind: 'client'; readonly name: string }
  | { readonly kind: 'capture'; readonly name: string; readonly group: string }

const FROM_CLIENT = /^(?:http_|arg_|cookie_)|^(?:args|query_string)$/
const DEPTH_MAX = 6

/** What a variable may hold in a place; empty when it is nothing that a client chooses, or nothing is known of it. */
export function originsOf(place: Node, name: string, depth = 0): Origin[] {
  if (FROM_CLIENT.test(name)) return [{ kind: 'client', name }]
  if (depth > DEPTH_MAX) return []
  const group = groupOf(place, name)
  if (group !== undefined) return [{ kind: 'capture', name, group }]
  const sets = setsOf(place, name)
  return sets.flatMap((node) => variablesIn(node.words[1] ?? '').flatMap((inner) => originsOf(node, inner, depth + 1)))
}

/** The `set` directives that a variable has its value from: those of the nearest block. */
function setsOf(place: Node, name: string): readonly Node[] {
  for (let at = place.parent; at !== undefined; at = at.parent) {
    const own = at.own('set').filter(({ first }) => first.toLowerCase() === `$${name}`)
    if (own.length > 0) return own
  }
  return []
}

/** The text of the group of a pattern around a place that a capture or a named variable is. */
function groupOf(place: Node, name: string): string | undefined {
  // A rewrite before it has captures of its own.
  const before = place.parent?.children.filter((one) => one.name === 'rewrite' && one !== place) ?? []
  const rewrite = place.name === 'rewrite' ? place : before.at(-1)
  const own = rewrite === undefined ? undefined : groupText(rewrite.first, name)
  if (own !== undefined || (/^\d$/.test(name) && rewrite !== undefined)) return own
  for (let at = place.up('location'); at !== undefined; at = at.parent?.up('location')) {
    const pattern = headOf(at)?.pattern?.source
    if (pattern !== undefined) return groupText(pattern, name)
  }
  return undefined
}

/** The text of a group by its number or name. */
function groupText(pattern: string, name: string): string | undefined {
  const opens = [...pattern.matchAll(/\\.|\((?!\?)|\(\?P?[<'](?![=!])(\w+)[>']/g)].filter(([text]) =>
    text.startsWith('('),
  )
  const found = /^\d$/.test(name) ? opens[Number(name) - 1] : opens.find((one) => one[1]?.toLowerCase() === name)
  if (found === undefined) return undefined
  let depth = 0
  for (let at = found.index; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === '[') at += classLength(pattern, at) - 1
    else if (pattern[at] === '(') depth++
    else if (pattern[at] === ')' && --depth === 0) return pattern.slice(found.index, at + 1)
  }
  return undefined
}

/** A bracket expression, from its `[` to its `]`. */
function classLength(pattern: string, at: number): number {
  return /^\[\^?\]?(?:\\.|[^\]\\])*\]?/.exec(pattern.slice(at))![0].length
}

/** Text that fits the group may hold a line break. */
export function mayBreakLines(group: string): boolean {
  if (/\\[WDs]/.test(group)) return true
  for (const [, inside] of group.matchAll(/\[\^((?:\\.|[^\]\\])*)\]/g)) if (!/\\[nsR]|\\r\\n/.test(inside!)) return true
  return false
}

/** Text that fits the group may be any host, or the end of one: it may hold dots or slashes. */
export function mayBeHost(group: string): boolean {
  if (/(?<!\\)\.[*+?{]/.test(group.replaceAll(/\[(?:\\.|[^\]\\])*\]/g, '')) || /\\[SDWN]/.test(group)) return true
  for (const [, inside] of group.matchAll(/\[\^((?:\\.|[^\]\\])*)\]/g))
    if (!inside!.includes('.') || !inside!.includes('/')) return true
  for (const [, inside] of group.matchAll(/\[(?!\^)((?:\\.|[^\]\\])*)\]/g)) if (inside!.includes('.')) return true
  return false
}
