/** php-fpm as a back end: a script with a small answer, and a process for each connection that the servers may keep. */
import type { ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { freePorts } from '../test/harness/ports.ts'
import { listening, startPinned } from './process-tree.ts'
import { LOAD_CORE } from './servers.ts'

/**
 * A kept connection has a process to itself, also while another server is measured: enough for three servers with 16 each,
 * so that nobody waits for one.
 */
const CHILDREN = 64
const SCRIPT = '<?php header(\'Content-Type: application/json\'); echo \'{"id":1,"name":"a small response"}\';'

/** Starts it with its files in `dir`; the script is `%%DIR%%/../php/small.php`. Resolves with its process and address. */
export async function startPhp(dir: string): Promise<{ child: ChildProcess; address: string }> {
  const [program] = fs.globSync('/usr/sbin/php-fpm*').toSorted()
  if (program === undefined) throw new Error('no php-fpm: apt-get install php-fpm')
  const [port] = await freePorts(1)
  fs.mkdirSync(dir, { recursive: true })
  fs.writeFileSync(`${dir}/small.php`, SCRIPT)
  const user = process.getuid!() === 0 ? 'user = root\n' : ''
  const pool = `${user}listen = 127.0.0.1:${port}\nlisten.backlog = 4096\npm = static\npm.max_children = ${CHILDREN}\n`
  fs.writeFileSync(`${dir}/fpm.conf`, `[global]\nerror_log = ${dir}/fpm.log\ndaemonize = no\n[www]\n${pool}`)
  const child = startPinned(LOAD_CORE, [program, '--nodaemonize', '--allow-to-run-as-root', '-y', `${dir}/fpm.conf`])
  await listening(port!, child)
  return { child, address: `127.0.0.1:${port}` }
}
