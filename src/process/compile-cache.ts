/**
 * Keeps compiled code on the disk between starts, which halves the time to start. The folder belongs to the user that
 * runs the program and to nobody else: whoever could write there could put code into a server.
 */
import fs from 'node:fs'
import module from 'node:module'
import os from 'node:os'
import path from 'node:path'

/** Turns the cache on where a safe folder can be had; without one, starting is only slower. */
export function enableCompileCache(): void {
  const uid = process.geteuid?.() ?? 0
  const folder = path.join(os.tmpdir(), `viaduct-code-${uid}`)
  try {
    fs.mkdirSync(folder, { mode: 0o700 })
  } catch {
    // It may be there already; whose it is decides.
  }
  if (isOurs(folder, uid)) module.enableCompileCache(folder)
}

function isOurs(folder: string, uid: number): boolean {
  try {
    const found = fs.lstatSync(folder)
    return found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0
  } catch {
    return false
  }
}
