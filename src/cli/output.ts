/** What becomes of output that cannot be written. */
import { errnoText } from '../lib/errno.ts'

/**
 * Standard output and error from now on: whoever has seen enough (`| head`) is no mistake, and changes no status; with
 * anything else, such as a full disk, the status is 1, and standard error says why.
 */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return
    process.stderr.write(`viaduct: write() failed ${errnoText(error)}\n`)
    fail()
  })
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') fail()
  })
}

function fail(): void {
  process.on('exit', () => {
    process.exitCode = 1
  })
}
