/**
 * What `ps`, `pgrep` and init scripts see. The program is called as it was started: under nginx's name it is nginx to
 * `start-stop-daemon --name nginx`, `killall nginx` and `ps | grep 'nginx: master'`.
 */
import fs from 'node:fs'
import path from 'node:path'

/** Who started this one says so: what a shell script was called is lost when it becomes Node. */
const VARIABLE = 'VIADUCT_NAME'

/** `nginx` when the program was started under that name, else `viaduct`. */
function programName(): string {
  const started = process.env[VARIABLE] ?? path.basename(process.argv[1] ?? '')
  return started === 'nginx' ? 'nginx' : 'viaduct'
}

/** Names this process: `nginx: master process -c ...`. */
export function nameProcess(title: string): void {
  process.title = `${programName()}: ${title}`
  try {
    // Node names its main thread, which is what the system takes for the name of the process.
    fs.writeFileSync('/proc/self/comm', programName())
  } catch {
    // Without /proc, or without the right: the title has to do.
  }
}
