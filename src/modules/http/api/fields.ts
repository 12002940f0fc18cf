/** `?fields=`: what of an object is shown; and what older versions of the API do not have. */
import type { Ask } from './resource.ts'

const SSL_SINCE = 8
const CODES_SINCE = 7

/** An object as the version has it, with the fields that are asked for. */
export function pick(ask: Ask, object: object): unknown {
  const names = ask.argument('fields')?.split(',')
  const known = forVersion(object, ask.version)
  if (names === undefined) return known
  return Object.fromEntries(Object.entries(known).filter(([name]) => names.includes(name)))
}

/** Objects by name; with `fields=` and nothing behind it, the names alone. */
export function pickEach(ask: Ask, objects: ReadonlyMap<string, object>): unknown {
  if (ask.argument('fields') === '') return [...objects.keys()]
  return Object.fromEntries([...objects].map(([name, object]) => [name, pick(ask, object)]))
}

function forVersion(object: object, version: number): object {
  if (version >= SSL_SINCE) return object
  const { ssl: _, ...rest } = object as { readonly ssl?: unknown; readonly responses?: object }
  const { responses } = rest
  if (version >= CODES_SINCE || responses === undefined) return rest
  const { codes: __, ...classes } = responses as { readonly codes?: unknown }
  return { ...rest, responses: classes }
}
