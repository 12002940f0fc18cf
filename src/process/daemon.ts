/**
 * Going into the background. Node cannot fork, so the program is started again, detached, and the first process waits
 * for word: it shows what goes wrong, and ends with success once the second one listens.
 */

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { bytesOf } from '../lib/bytes.ts'
import { systemPath } from '../lib/file-status.ts'
import { ownCommand } from './upgrade.ts'

const VARIABLE = 'VIADUCT_BACKGROUND'

/** What the background process tells. */
export type BackgroundMessage = { readonly type: 'line'; readonly line: string } | { readonly type: 'listening' }

/** True in the process that was started into the background; asked once. */
export function inBackground(): boolean {
  const is = process.env[VARIABLE] !== undefined && process.connected
  delete process.env[VARIABLE]
  return is
}

/** Starts this program again in the background; resolves with the exit status for this process. */
export function startInBackground(stderrPath: string | undefined): Promise<number> {
  const stderr = stderrPath === undefined ? ('inherit' as const) : fs.openSync(systemPath(stderrPath), 'a', 0o644)
  const { file, args } = ownCommand()
  const child = spawn(file, args, {
    detached: true,
    stdio: ['ignore', 'ignore', stderr, 'ipc'],
    env: { ...process.env, [VARIABLE]: '1' },
  })
  return new Promise((resolve) => {
    child.on('message', (message: BackgroundMessage) => {
      if (message.type === 'line') process.stderr.write(bytesOf(`viaduct: ${message.line}\n`))
      else {
        // It lives on, and this process need not.
        child.unref()
        resolve(0)
      }
    })
    child.on('error', (error) => {
      process.stderr.write(`viaduct: [emerg] cannot start "${file}": ${error.message}\n`)
      resolve(1)
    })
    child.on('exit', (code) => resolve(code === 0 ? 0 : 1))
  })
}

/** Tells the process that waits, if one does; the first `listening` ends the connection to it. */
export function tellParent(message: BackgroundMessage): void {
  if (!process.connected) return
  process.send!(message)
  if (message.type === 'listening') process.disconnect()
}
