/** What became of a request as names and values that can be compared: what a client, a back end or a log would notice. */
import type { Answered } from './run.ts'
import { decodeSent } from './sent.ts'

/** Fields that differ from one answer to the next. */
const PASSING: ReadonlySet<string> = new Set(['date', 'content-length', 'last-modified', 'etag'])
/** Of log lines; looked for before a target, which may be no more than a slash. */
const TIME = /\[\d\d\/\w{3}\/\d{4}:[^\]]*\]|\d{4}-\d\d-\d\dT[\d:+-]+/g
const IDENTIFIER = /\b[0-9a-f]{32}\b/g

/** Returns them. */
export function factsOf(answered: Answered): ReadonlyMap<string, string> {
  const { server, location, status, head, told, stopped, endpoint, question } = answered
  const facts = new Map<string, string>([
    ['listener', endpoint.spec.key],
    ['server', server === undefined ? 'none' : server.name || 'without a name'],
    ['location', location === undefined ? 'none' : location.name || 'none'],
    ['status', stopped === '' ? String(status) : stopped],
  ])
  const add = (name: string, value: string): void => {
    const before = facts.get(name)
    facts.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  // What a log line says of the request itself is no news, nor is which server of a group it was.
  const withoutNames = (text: string): string =>
    told
      .flatMap(({ asked }) => (asked === undefined ? [] : [asked]))
      .reduce((line, { peer, group }) => line.replaceAll(peer, group), text.replace(/^log: /, '').replace(TIME, 'TIME'))
      .replaceAll(question.target, 'TARGET')
      .replaceAll(` ${status} `, ' STATUS ')
      .replace(IDENTIFIER, 'ID')
  for (const { kind, text, depth, asked } of told) {
    if (depth > 0 && kind !== 'back end') continue
    if (kind === 'handler') facts.set('handler', text)
    else if (kind === 'redirect') add('goes on at', text)
    else if (kind === 'decision' && /^(?:counted|not counted)/.test(text)) add('limit', text)
    else if (kind === 'decision' && /^(?:allows|denies)/.test(text)) add('access', text)
    else if (kind === 'decision' && /^cache/.test(text)) add('cache', text)
    else if (kind === 'decision' && /^(?:log: |not logged)/.test(text)) facts.set('log line', withoutNames(text))
    else if (kind === 'file' && text.endsWith(': a file')) facts.set('file', text)
    else if (asked !== undefined) {
      const { group, peer, url, head: sent, tls } = asked
      const before = depth > 0 ? 'subrequest' : 'back end'
      add(before, url.replace(peer, group))
      if (tls !== undefined) facts.set(`${before} TLS`, tls === '' ? 'without a name' : tls)
      const { line, fields } = decodeSent(url.split(':', 1)[0]!, sent)
      facts.set(`${before} request`, line)
      for (const [name, value] of fields)
        facts.set(`${before} field ${name}`, value.replaceAll(peer, group).replace(IDENTIFIER, 'ID'))
    }
  }
  for (const field of head.split('\r\n').slice(1)) {
    const colon = field.indexOf(':')
    const name = field.slice(0, colon)
    if (!PASSING.has(name.toLowerCase())) add(`response field ${name}`, field.slice(colon + 1).trim())
  }
  return facts
}

/** One fact that is another one. */
export interface Change {
  readonly name: string
  /** Undefined: there was none, or is none any more. */
  readonly before: string | undefined
  readonly after: string | undefined
}

/** What differs, in the order of the facts. */
export function changesOf(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly Change[] {
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names]
    .map((name) => ({ name, before: before.get(name), after: after.get(name) }))
    .filter((change) => change.before !== change.after)
}

/** A change as a sentence. */
export function changeText({ name, before, after }: Change): string {
  if (before === undefined) return `+ ${name}: ${after}`
  if (after === undefined) return `- ${name}: ${before}`
  return `~ ${name}: ${before} -> ${after}`
}
