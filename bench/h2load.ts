/** One measurement by h2load. */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Measured } from './partners/partner.ts'
import type { H2Load } from './scenario.ts'
import { LOAD_CORE } from './servers.ts'

const run = promisify(execFile)

/** Loads `url` for some seconds over so many connections; `dir` is for the message. Fails when a request failed. */
export async function byH2load(
  url: string,
  { streams, message }: H2Load,
  connections: number,
  seconds: number,
  dir: string,
): Promise<Measured> {
  const words = ['-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`, ...grpcWords(message, dir), url]
  const { stdout } = await run('taskset', ['-c', String(LOAD_CORE), 'h2load', ...words])
  const [total, failed] = /(\d+) succeeded, (\d+) failed/.exec(stdout)?.slice(1).map(Number) ?? []
  const perSecond = Number(/([\d.]+) req\/s/.exec(stdout)?.[1])
  const good = Number(/status codes: (\d+) 2xx/.exec(stdout)?.[1])
  // Requests under way at the end are neither.
  if (total === undefined || failed !== 0 || good === 0 || good < total) throw new Error(stdout)
  return { count: total, perSecond, p99Ms: Number.NaN }
}

/** A message behind the five bytes that say that it is not compressed, and how long it is. */
function grpcWords(message: string | undefined, dir: string): string[] {
  if (message === undefined) return []
  const file = path.join(dir, 'message')
  const size = Buffer.alloc(5)
  size.writeUInt32BE(message.length, 1)
  fs.writeFileSync(file, Buffer.concat([size, Buffer.from(message)]))
  return ['-d', file, '-H', 'content-type: application/grpc', '-H', 'te: trailers']
}
