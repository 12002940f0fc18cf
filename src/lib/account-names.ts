/** Names of users and groups by number, for messages: from the files alone, and the number where they have none. */
import fs from 'node:fs'

/** `www-data:adm` for these numbers. */
export function ownerName(uid: number, gid: number): string {
  return `${nameOf('/etc/passwd', uid)}:${nameOf('/etc/group', gid)}`
}

function nameOf(file: string, id: number): string {
  for (const line of readLines(file)) {
    const [name, , number] = line.split(':')
    if (number === String(id)) return name!
  }
  return String(id)
}

function readLines(file: string): readonly string[] {
  try {
    return fs.readFileSync(file, 'latin1').split('\n')
  } catch {
    return []
  }
}
