/** Files that tools read and write; what fails is a sentence. Texts keep bytes that are no UTF-8. */

import fs from 'node:fs'
import path from 'node:path'
import { diskReader, type SourceReader } from '../../config/include.ts'
import { bytesOf, toBinary } from '../../lib/bytes.ts'
import { errnoText } from '../../lib/errno.ts'
import { decodeText, readable } from '../../lib/text.ts'
import { ToolFailure } from './tool.ts'

/** Names that configuration files have in folders of them. */
const CONFIGURATIONS = /(?:\.conf|\.nginx|\.conf\.sample)$|(?:^|\/)(?:sites-(?:available|enabled)|snippets)\/[^/]+$/

/** The configuration files in a folder, at any depth, by their names in it. */
export function configurationsIn(folder: string, others = /^$/): string[] {
  return fs
    .globSync('**/*', { cwd: folder })
    .filter((name) => CONFIGURATIONS.test(name) || others.test(name))
    .filter((name) => fs.statSync(path.join(folder, name), { throwIfNoEntry: false })?.isFile() === true)
    .sort()
}

/** Reads from the disk as `diskReader` does; paths are text in characters. */
export const textReader: SourceReader = {
  read: (full) => diskReader.read(toBinary(full)),
  glob: (pattern) => diskReader.glob(toBinary(pattern)).map(readable),
}

/** Reads a text. */
export function readText(full: string): string {
  try {
    return decodeText(fs.readFileSync(full))
  } catch (error) {
    throw new ToolFailure(`open() "${full}" failed ${errnoText(error)}`)
  }
}

/** Writes a new text, with the folders around it. */
export function writeText(full: string, text: string): void {
  try {
    fs.mkdirSync(path.dirname(full), { recursive: true })
    fs.writeFileSync(full, bytesFor(text))
  } catch (error) {
    throw new ToolFailure(`"${full}" cannot be written ${errnoText(error)}`)
  }
}

/** Replaces a file at once, so that a server that reloads never reads half of it; what it was stays: rights, owner, links. */
export function replaceText(full: string, text: string): void {
  const real = fs.realpathSync(full)
  const status = fs.statSync(real)
  const temporary = `${real}.${process.pid}~`
  try {
    fs.writeFileSync(temporary, bytesFor(text), { mode: status.mode, flag: 'wx' })
    fs.chownSync(temporary, status.uid, status.gid)
    fs.renameSync(temporary, real)
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw new ToolFailure(`"${full}" cannot be written ${errnoText(error)}`)
  }
}

function bytesFor(text: string): Uint8Array {
  return bytesOf(toBinary(text))
}
