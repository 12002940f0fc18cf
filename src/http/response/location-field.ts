/** The Location field of redirects that the server makes itself. */
import type { Request } from '../request/request.ts'

/** A Location that the server made from a path becomes absolute, as `absolute_redirect` asks. */
export function absoluteLocation(r: Request): string {
  const { out, location } = r
  const { core } = location
  if (!out.location.startsWith('/') || !core.absolute_redirect) return out.location
  const host = core.server_name_in_redirect ? r.server.name : r.host === '' ? r.client.serverHost() : r.host
  const defaultPort = r.client.secure ? 443 : 80
  const port = core.port_in_redirect && r.client.serverPort !== defaultPort ? r.client.serverPort : 0
  out.location = `${r.scheme}://${host}${port === 0 ? '' : ':' + port}${out.location}`
  return out.location
}
