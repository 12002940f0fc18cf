/**
 * What a descriptor that came from elsewhere is bound to. Node tells it of some kinds of sockets only; the kernel's own
 * tables (`/proc/net`) have all of them, by inode.
 */
import fs from 'node:fs'
import type { Listen } from './socket-book.ts'

/** A socket by kind and key, as `Listen` has them: `127.0.0.1:80`, `[::1]:80`, `unix:/run/x.sock`. */
export interface KernelSocket {
  readonly kind: Listen['kind']
  readonly key: string
}

const TABLES: readonly { readonly file: string; readonly kind: 'tcp' | 'udp' }[] = [
  { file: 'tcp', kind: 'tcp' },
  { file: 'tcp6', kind: 'tcp' },
  { file: 'udp', kind: 'udp' },
  { file: 'udp6', kind: 'udp' },
]
/** In the lines of these tables: the local address, and the inode. */
const LOCAL_AT = 1
const INODE_AT = 9
const UNIX_INODE_AT = 6
const UNIX_PATH_AT = 7

/** Returns what descriptor `fd` of this process is bound to; undefined when it is no bound socket. */
export function kernelSocket(fd: number): KernelSocket | undefined {
  const inode = /^socket:\[(\d+)\]$/.exec(linkOf(fd))?.[1]
  if (inode === undefined) return undefined
  for (const { file, kind } of TABLES) {
    const row = rows(file).find((words) => words[INODE_AT] === inode)
    if (row !== undefined) return { kind, key: addressOf(row[LOCAL_AT]!) }
  }
  const row = rows('unix').find((words) => words[UNIX_INODE_AT] === inode)
  const path = row?.slice(UNIX_PATH_AT).join(' ') ?? ''
  return path === '' ? undefined : { kind: 'unix', key: `unix:${path}` }
}

function linkOf(fd: number): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}

function rows(file: string): string[][] {
  let text: string
  try {
    text = fs.readFileSync(`/proc/self/net/${file}`, 'latin1')
  } catch {
    // A kernel without IPv6 has no table of it.
    return []
  }
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
}

/** `0100007F:0050` is 127.0.0.1:80: words of four bytes in the order of this machine, which is little-endian. */
export function addressOf(text: string): string {
  const [hex, port] = text.split(':') as [string, string]
  const bytes = Buffer.from(hex, 'hex')
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse()
  const number = Number.parseInt(port, 16)
  if (bytes.length === 4) return `${bytes.join('.')}:${number}`
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return `[${new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)}]:${number}`
}
