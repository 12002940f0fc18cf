/**
 * What a client says in Accept-Encoding about the codings that there are. Each is looked for as nginx looks for gzip
 * (ngx_http_gzip_accept_encoding), so that all are negotiated alike: the first time that it is named counts, and a quality
 * that is malformed is a refusal.
 *
 * `*` counts only where the client wants it more than no coding at all (`identity;q=0, *`): nginx compresses nothing for a
 * mere `*`, and need not.
 */

/** Qualities in thousandths; 0 is a refusal or not named. */
interface AcceptedCodings {
  readonly br: number
  readonly zstd: number
  readonly gzip: number
}

/** The codings by the names that stand in Content-Encoding. */
export type CodingName = keyof AcceptedCodings

const NOTHING: AcceptedCodings = { br: 0, zstd: 0, gzip: 0 }
const ABSENT = -1
const FULL = 1000

/** Clients say the same again and again; what is known is forgotten when it becomes this much. */
const KNOWN_MAX = 256
const KNOWN_LENGTH_MAX = 128
const known = new Map<string, AcceptedCodings>()

/** The codings that a client takes; `value` is its field, undefined when there is none. */
export function acceptedCodings(value: string | undefined): AcceptedCodings {
  if (value === undefined) return NOTHING
  const found = known.get(value)
  if (found !== undefined) return found
  const accepted = read(value.toLowerCase())
  if (value.length <= KNOWN_LENGTH_MAX) {
    if (known.size >= KNOWN_MAX) known.clear()
    known.set(value, accepted)
  }
  return accepted
}

function read(text: string): AcceptedCodings {
  const any = Math.max(0, qualityOf(text, '*'))
  const none = qualityOf(text, 'identity')
  const others = none !== ABSENT && none < any ? any : 0
  const quality = (name: string) => {
    const own = qualityOf(text, name)
    return own === ABSENT ? others : own
  }
  return { br: quality('br'), zstd: quality('zstd'), gzip: quality('gzip') }
}

/** The quality that `text` gives `name`, or ABSENT. */
function qualityOf(text: string, name: string): number {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const before = text.charAt(at - 1)
    if (at > 0 && before !== ',' && before !== ' ') continue
    const end = at + name.length
    const behind = pastSpaces(text, end)
    if (behind === text.length || text.charAt(behind) === ',') return FULL
    if (text.charAt(behind) === ';') return parameter(text, pastSpaces(text, behind + 1))
    // Otherwise it was the beginning of another word.
    if (behind > end) return 0
  }
  return ABSENT
}

function parameter(text: string, at: number): number {
  if (at === text.length) return FULL
  return text.charAt(at) === 'q' && text.charAt(at + 1) === '=' ? quantity(text, at + 2) : 0
}

function pastSpaces(text: string, start: number): number {
  let at = start
  while (text.charAt(at) === ' ') at++
  return at
}

const QUANTITY = /^(?:1(?:\.0{0,3})?|0(?:\.(\d{0,3}))?)(?=[, ]|$)/

/** `0.5` in thousandths; 0 when it is malformed. */
function quantity(text: string, at: number): number {
  const match = QUANTITY.exec(text.slice(at))
  if (match === null) return 0
  if (match[0].startsWith('1')) return FULL
  return Number((match[1] ?? '').padEnd(3, '0'))
}
