/** What stands in a session that Node does not tell otherwise (OpenSSL's ssl_asn1.c). */
import { contextTag, derAt, derInside, INTEGER, OCTET_STRING } from '../lib/der.ts'

const KEX_GROUP = contextTag(19)

/** The session's id in hex, or empty. */
export function sessionId(session: Buffer): string {
  // version, protocol, cipher, id, master key
  const id = fields(session)[3]
  return id?.tag === OCTET_STRING ? session.toString('hex', id.start, id.end) : ''
}

/** The number of the group that keys were agreed on with; 0 when there was none. */
export function sessionGroup(session: Buffer): number {
  const tagged = fields(session).find((field) => field.tag === KEX_GROUP)
  const [value] = derInside(session, tagged)
  if (value?.tag !== INTEGER || value.end - value.start > 4) return 0
  return session.readUIntBE(value.start, value.end - value.start)
}

function fields(session: Buffer) {
  return derInside(session, derAt(session, 0, session.length))
}
