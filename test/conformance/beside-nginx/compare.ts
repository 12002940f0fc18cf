/** Makes what two servers did comparable: without times, numbers of processes and connections, and the order of fields. */
import { ASPECTS, type Aspect, type Case } from './case.ts'
import type { Seen, Side } from './side.ts'

/** One aspect in which two servers differ. */
export interface Difference {
  readonly aspect: Aspect
  readonly nginx: string
  readonly viaduct: string
}

/** Fields that say who and when. */
const OWN_FIELDS = /^(?:server|date):/i

/** Returns what differs, each aspect in full. */
export function compare(nginx: Side, ofNginx: Seen, viaduct: Side, ofViaduct: Seen): Difference[] {
  const left = plainSeen(nginx, ofNginx)
  const right = plainSeen(viaduct, ofViaduct)
  return ASPECTS.filter((aspect) => left[aspect] !== right[aspect]).map((aspect) => ({
    aspect,
    nginx: left[aspect],
    viaduct: right[aspect],
  }))
}

/** Returns what a case says about differences that are not as it says, or '' when all is as it says. */
export function unexpected(asked: Case, found: readonly Difference[]): Difference[] {
  const said = asked.differs ?? {}
  const none = Object.keys(said).filter((aspect) => !found.some((difference) => difference.aspect === aspect))
  return [
    ...found.filter((difference) => said[difference.aspect] === undefined),
    ...none.map((aspect) => ({ aspect: aspect as Aspect, nginx: 'said to differ', viaduct: 'does not' })),
  ]
}

function plainSeen(side: Side, seen: Seen): Record<Aspect, string> {
  return {
    replies: plainReplies(side.plain(seen.replies)).replaceAll(/(boundary=|^--)\d{20}/gm, '$1N'),
    open: String(seen.open),
    access: side.plain(seen.access),
    errors: side
      .plain(seen.errors)
      .split('\n')
      .filter((line) => line !== '' && !/client .* closed keepalive connection|while keepalive/.test(line))
      .map((line) => line.replace(/^\S+ \S+ (\[\w+\]) \d+#\d+: (?:\*\d+ )?/, '$1 '))
      .join('\n'),
    asked: side.plain(seen.asked),
  }
}

/** Splits what came into responses, with sorted fields and bodies without their framing. */
function plainReplies(text: string): string {
  let result = ''
  let rest = text
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    if (!/^HTTP\/1/.test(rest) || end < 0) return result + rest
    const lines = rest.slice(0, end).split('\r\n')
    rest = rest.slice(end + 4)
    const fields = lines.slice(1).filter((line) => !OWN_FIELDS.test(line))
    result += `${lines[0]}\n${fields.toSorted().join('\n')}\n\n`
    const body = bodyOf(lines.join('\n'), rest)
    rest = rest.slice(body.size)
    result += body.text
  }
  return result
}

function bodyOf(head: string, rest: string): { text: string; size: number } {
  if (rest.startsWith('HTTP/1.') || /^HTTP\/1.\d (?:1\d\d|204|304)/.test(head)) return { text: '', size: 0 }
  const length = /\ncontent-length: (\d+)/i.exec(head)
  if (length !== null) return { text: `${rest.slice(0, Number(length[1]))}\n`, size: Number(length[1]) }
  if (!/\ntransfer-encoding: chunked/i.test(head)) return { text: rest, size: rest.length }
  let text = ''
  let at = 0
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/.exec(rest.slice(at, at + 20))
    if (line === null) return { text: `${text}<cut>`, size: rest.length }
    const size = Number.parseInt(line[1]!, 16)
    at += line[0].length
    if (size === 0) {
      const end = rest.indexOf('\r\n', at) === at ? at + 2 : rest.indexOf('\r\n\r\n', at) + 4
      return { text: `${text}\n${rest.slice(at, end)}`, size: end }
    }
    text += rest.slice(at, at + size)
    at += size + 2
  }
}
