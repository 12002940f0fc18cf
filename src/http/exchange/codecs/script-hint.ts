/**
 * php-fpm says "Primary script unknown" whatever the reason is why it cannot open a script. What is likely can be told
 * from the name that it was given, and from whether that is a file here.
 */
import { statPath } from '../../../lib/file-status.ts'

/** What php-fpm says. */
export const SCRIPT_UNKNOWN = 'Primary script unknown'

/** What to log beside it; `file` is SCRIPT_FILENAME as it was sent. */
export function scriptHint(file: string | undefined): string {
  if (file === undefined) {
    return 'no SCRIPT_FILENAME was sent, which names the script: fastcgi.conf has it, fastcgi_params has not'
  }
  if (file === '') return 'SCRIPT_FILENAME, which names the script, was sent empty'
  const found = statPath(file)
  if (typeof found === 'string') return `${sent(file)}, which is no file here either: see root or alias, and try_files`
  if (!found.isFile()) return `${sent(file)}, which is not a regular file: see fastcgi_index`
  return `${sent(file)}, which is there: the server may not read it, or has other folders (a container, chroot)`
}

function sent(file: string): string {
  return `SCRIPT_FILENAME was sent as "${file}"`
}
