/**
 * Where a server's workers spend their time: the share of a sampling profile (V8's) that lies in some of its files. Unlike CPU
 * time per request it hardly depends on what else the machine does.
 */
import fs from 'node:fs'
import path from 'node:path'

/** What comes before is the start, and code that is not hot yet. */
const SKIPPED_US = 5e6

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Words for Node that have each thread leave a profile in a folder when it ends. */
export function profileOptions(folder: string): string {
  return `--cpu-prof --cpu-prof-dir=${folder}`
}

/** The share, from 0 to 1, of the busiest thread's samples that lies in files whose path fits. */
export function shareOf(folder: string, files: RegExp): { readonly share: number; readonly samples: number } {
  const threads = fs.readdirSync(folder).map((name) => {
    return counted(JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as Profile, files)
  })
  const busiest = threads.toSorted((a, b) => b.samples - a.samples)[0]
  if (busiest === undefined) throw new Error(`there is no profile in ${folder}`)
  return { share: busiest.inside / Math.max(1, busiest.samples), samples: busiest.samples }
}

function counted({ nodes, samples, timeDeltas }: Profile, files: RegExp): { inside: number; samples: number } {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  let [passed, inside, all] = [0, 0, 0]
  for (const [n, id] of samples.entries()) {
    passed += timeDeltas[n] ?? 0
    const { functionName, url } = frames.get(id)!
    if (passed < SKIPPED_US || functionName === '(idle)') continue
    all++
    if (files.test(url)) inside++
  }
  return { inside, samples: all }
}
