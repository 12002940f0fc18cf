/**
 * Purges that are carried out bit by bit, or that only the index knows of, as long as no snapshot tells of them: a file beside
 * them that each purge is added to, so that a process that is killed does not forget what it has promised. Nothing is lost
 * when it is left for too long: what was purged before is purged again.
 *
 *     for each purge   type(4) size(4) text...
 *
 * Who purges does so first and adds it then, by the file's name. Who removes it renames it first: what is added later than a
 * look at the number of the last purge is then in another file.
 */
import fs from 'node:fs'
import { errnoCode, errnoText } from '../../lib/errno.ts'
import { statPath, systemPath } from '../../lib/file-status.ts'
import { ERROR } from '../../log/error-log.ts'
import { decodeRules, encodeRule, type PurgeRule, RULE_PREFIX } from '../../shared/cache/rules.ts'
import type { CacheLog } from './room.ts'

/** Its name in the folder of the cache, and what it is called until it is known to be needed no more. */
const NAME = 'viaduct.purges'
const OLD = `${NAME}.old`
/** More of them than can be carried out beside each other are one that takes everything. */
const NOTED_MAX = 512
const EVERYTHING: readonly PurgeRule[] = [{ type: RULE_PREFIX, text: '' }]

/** Adds a purge that holds from now on. A disk that refuses is logged. */
export function notePurge(folder: string, rule: PurgeRule, log: CacheLog | undefined): void {
  const path = `${folder}/${NAME}`
  // tidy: whoever purges may wait for the disk, which may refuse.
  try {
    fs.appendFileSync(systemPath(path), encodeRule(rule), { mode: 0o600 })
  } catch (error) {
    log?.logError(ERROR, `a purge was not written to "${path}" ${errnoText(error)}: it ends with the process`)
  }
}

/** The purges that are to be carried out once more; what cannot be read is `refused`. */
export function notedPurges(folder: string, refused: (problem: string) => void): readonly PurgeRule[] {
  const rules = new Map<string, PurgeRule>()
  for (const name of [OLD, NAME]) {
    for (const rule of decodeRules(read(`${folder}/${name}`, refused))) rules.set(`${rule.type} ${rule.text}`, rule)
  }
  return rules.size > NOTED_MAX ? EVERYTHING : [...rules.values()]
}

/** How many bytes there are, without those that are needed no more. */
export function notedSize(folder: string): number {
  const found = statPath(`${folder}/${NAME}`)
  return typeof found !== 'string' && found.isFile() ? found.size : 0
}

/** A snapshot tells of all of them, unless (`isLast` says no) others were added since it was begun: those stay until the next. */
export function forgetPurges(folder: string, isLast: () => boolean): void {
  const [path, old] = [systemPath(`${folder}/${NAME}`), systemPath(`${folder}/${OLD}`)]
  fs.rmSync(old, { force: true })
  if (notedSize(folder) === 0) return
  fs.renameSync(path, old)
  if (isLast()) fs.rmSync(old)
}

function read(path: string, refused: (problem: string) => void): Buffer {
  // tidy: the keeper's thread serves nobody, and the disk may refuse.
  try {
    return fs.readFileSync(systemPath(path))
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') {
      refused(`open() "${path}" failed ${errnoText(error)}: what it says to purge is not purged, purge it again`)
    }
    return Buffer.alloc(0)
  }
}
