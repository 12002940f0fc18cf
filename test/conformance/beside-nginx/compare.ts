/** Makes what two servers did comparable: without times, numbers of processes and connections, and the order of fields. */
import zlib from 'node:zlib'
import { ASPECTS, type Aspect } from './case.ts'
import { plainFrames } from './http2.ts'
import { KNOWN, KNOWN_OF_HTTP2, type Known } from './known.ts'
import { LOGGED, type Seen, type Side } from './side.ts'

/** One aspect in which two servers differ. */
export interface Difference {
  readonly aspect: Aspect
  readonly nginx: string
  readonly viaduct: string
}

/** Fields that say who and when. */
const OWN_FIELDS = /^(?:server|date):/i

/** Returns what differs in the case of this name and is not known, each aspect in full; notes the reasons that it needed. */
export function compare(
  name: string,
  [nginx, ofNginx]: readonly [Side, Seen],
  [viaduct, ofViaduct]: readonly [Side, Seen],
  needed: Set<Known>,
): Difference[] {
  const left = plainSeen(nginx, ofNginx)
  const right = plainSeen(viaduct, ofViaduct)
  const outcome = `${outcomeOf(left)} -> ${outcomeOf(right)}`
  const found: Difference[] = []
  for (const aspect of ASPECTS) {
    let [one, other] = [left[aspect], right[aspect]]
    for (const known of nginx.http2 ? [...KNOWN, ...KNOWN_OF_HTTP2] : KNOWN) {
      if (one === other) break
      if (!known.of.test(name) || known.aspects?.includes(aspect) === false) continue
      if (known.outcomes?.includes(outcome) === false) continue
      const before = one + other
      one = excused(known, one)
      other = excused(known, other)
      if (one + other !== before) needed.add(known)
    }
    if (one.trim() !== other.trim()) found.push({ aspect, nginx: one, viaduct: other })
  }
  return found
}

/**
 * What came of a case: statuses of back ends, or where none was asked of the answer, and what the error log has to say, without
 * what it quotes.
 */
function outcomeOf({ access, errors }: Record<Aspect, string>): string {
  const upstream = [...access.matchAll(/^upstream_status=(.*)$/gm)].map(([, status]) => status)
  const statuses = [...access.matchAll(/^status=(.*)$/gm)].map(([, status], n) =>
    upstream[n] === '-' ? `(${status})` : upstream[n],
  )
  const words = errors.split('\n').map((line) =>
    line
      .replace(/^\[\w+\] /, '')
      .replace(/(?: while |, client: ).*$/, '')
      .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'),
  )
  return [...statuses, ...new Set(words)].filter((part) => part !== '').join(', ')
}

/** What is left of a text. */
function excused({ without, orderless }: Known, text: string): string {
  if (orderless) return text.split('\n').toSorted().join('\n')
  return without === undefined ? '' : text.replaceAll(without, '')
}

function plainSeen(side: Side, seen: Seen): Record<Aspect, string> {
  return {
    replies: repliesOf(side, seen).replaceAll(/^--\d{20}/gm, '--N'),
    open: String(seen.open),
    access: named(side.plain(seen.access)),
    errors: side
      .plain(seen.errors)
      .split('\n')
      .filter((line) => line !== '' && !/client .* closed keepalive connection|while keepalive/.test(line))
      .map((line) => line.replace(/^\S+ \S+ (\[\w+\]) \d+#\d+: (?:\*\d+ )?/, '$1 '))
      .join('\n'),
    asked: side.plain(seen.asked),
  }
}

function repliesOf(side: Side, seen: Seen): string {
  return side.http2 ? side.plain(plainFrames(seen.replies)) : plainReplies(side.plain(seen.replies))
}

/** One variable a line. */
function named(lines: string): string {
  return lines.replaceAll(/^.+$/gm, (line) =>
    line
      .split('|')
      .map((value, n) => `${LOGGED[n] ?? '?'}=${value}`)
      .join('\n'),
  )
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
    result += /\ncontent-encoding: gzip$/im.test(lines.join('\n')) ? unpacked(body.text) : body.text
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

/** What a compressed text says, as far as it can be read (libraries compress differently), and the trailers behind it. */
function unpacked(text: string): string {
  const end = /\n(?:[\w-]+: .*\r\n)*(?:\r\n)?$/.exec(text) ?? /<cut>$/.exec(text)
  if (end === null || end.index === 0) return text
  try {
    const bytes = Buffer.from(text.slice(0, end.index), 'latin1')
    const plain = zlib.gunzipSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH })
    return `<gzip>${plain.toString('latin1')}</gzip>${end[0].trim()}\n`
  } catch {
    return text
  }
}
