/**
 * Files that packages of nginx put beside its configuration, and that guides include by name. Where a configuration's
 * folder has none, the ones that come with the program are taken; `-T` shows them with their paths.
 */
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../conf/', import.meta.url))
/** Where nginx's own lie on most systems: configurations say it although theirs is elsewhere. */
const USUAL = '/etc/nginx/'

const NAMES: ReadonlySet<string> = new Set([
  'mime.types',
  'fastcgi_params',
  'fastcgi.conf',
  'uwsgi_params',
  'scgi_params',
  'proxy_params',
  'snippets/fastcgi-php.conf',
])

/** The file to take when `include` names one that does not exist; undefined for all but the well-known. */
export function packagedFile(argument: string): string | undefined {
  const name = argument.startsWith(USUAL) ? argument.slice(USUAL.length) : argument
  return NAMES.has(name) ? FOLDER + name : undefined
}
