/**
 * Copying files and working on whole folders, which may take long: another thread does it, so these are promises. They
 * never fail: what the system refused is told in the outcome, and the rest is done as far as it can be.
 */
import { copyFile, lstat, mkdir, readdir, rmdir, unlink, utimes } from 'node:fs/promises'
import { type Refusal, refusalCode, removeFile, renamePath } from './file-changes.ts'
import { systemPath } from './file-status.ts'

/** More of them than this are not told. */
const TOLD_MAX = 100

/** What was refused, in order; empty when all was done. */
export interface TreeOutcome {
  readonly refusals: readonly Refusal[]
}

/** The rights of a folder for who has these rights to its files: who may read may enter. */
export function folderMode(mode: number): number {
  return mode | ((mode & 0o444) >> 2)
}

/** Copies a file, with its rights and its time, over what is there. */
export async function copyOver(from: string, to: string): Promise<TreeOutcome> {
  const work = new Work()
  await work.file(from, to)
  return work
}

/** Moves a file to another file system: beside its new place first, so that nobody sees half of it. */
export async function moveAcross(from: string, to: string, beside: string): Promise<TreeOutcome> {
  const work = new Work()
  if (await work.file(from, beside)) {
    const refused = renamePath(beside, to)
    work.note('rename()', to, refused)
    if (refused === '') work.note('unlink()', from, removeFile(from))
    else removeFile(beside)
  }
  return work
}

/** Removes a folder with all that is in it. */
export async function removeTree(path: string): Promise<TreeOutcome> {
  const work = new Work()
  await work.remove(path)
  return work
}

/** Copies what is in a folder to one that is there; links and what is neither file nor folder are left out. */
export async function copyTree(from: string, to: string): Promise<TreeOutcome> {
  const work = new Work()
  await work.copy(from, to)
  return work
}

class Work implements TreeOutcome {
  readonly refusals: Refusal[] = []

  note(call: string, path: string, error: string): boolean {
    if (error !== '' && this.refusals.length < TOLD_MAX) this.refusals.push({ call, path, error })
    return error === ''
  }

  async #done(call: string, path: string, promise: Promise<unknown>): Promise<boolean> {
    const error = await promise.then(() => '', refusalCode)
    return this.note(call, path, error)
  }

  async file(from: string, to: string): Promise<boolean> {
    const stats = await lstat(systemPath(from)).catch(refusalCode)
    if (typeof stats === 'string') return this.note('open()', from, stats)
    const copied = await copyFile(systemPath(from), systemPath(to)).then(() => '', refusalCode)
    // Which side it was, Node does not tell; the source has just been there.
    if (!this.note('open()', to, copied)) return false
    return this.#done('utimes()', to, utimes(systemPath(to), stats.mtime, stats.mtime))
  }

  async remove(path: string): Promise<void> {
    for (const { name, isFolder } of await this.#list(path)) {
      const inner = `${path}/${name}`
      if (isFolder) await this.remove(inner)
      else await this.#done('unlink()', inner, unlink(systemPath(inner)))
    }
    await this.#done('rmdir()', path, rmdir(systemPath(path)))
  }

  async copy(from: string, to: string): Promise<void> {
    for (const { name, isFile, isFolder } of await this.#list(from)) {
      const source = `${from}/${name}`
      const target = `${to}/${name}`
      if (isFile) await this.file(source, target)
      else if (isFolder) await this.#folder(source, target)
    }
  }

  async #folder(from: string, to: string): Promise<void> {
    const stats = await lstat(systemPath(from)).catch(refusalCode)
    if (typeof stats === 'string') {
      this.note('lstat()', from, stats)
      return
    }
    if (!(await this.#done('mkdir()', to, mkdir(systemPath(to), folderMode(stats.mode & 0o777))))) return
    await this.copy(from, to)
    await this.#done('utimes()', to, utimes(systemPath(to), stats.mtime, stats.mtime))
  }

  async #list(path: string): Promise<readonly Listed[]> {
    const list = await readdir(systemPath(path), { withFileTypes: true, encoding: 'buffer' }).catch(refusalCode)
    if (typeof list === 'string') {
      this.note('opendir()', path, list)
      return []
    }
    return list.map((entry) => ({
      name: entry.name.toString('latin1'),
      isFile: entry.isFile(),
      isFolder: entry.isDirectory(),
    }))
  }
}

interface Listed {
  readonly name: string
  readonly isFile: boolean
  readonly isFolder: boolean
}
