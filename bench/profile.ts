/**
 * Where a server's workers spend their time: the share of a sampling profile (V8's) that lies in some of its files. Unlike CPU
 * time per request it hardly depends on what else the machine does.
 */
import fs from 'node:fs'
import path from 'node:path'

/** What comes before is the start: code that is not hot yet, and libraries that are loaded for the first traces. */
const SKIPPED_US = 12e6

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Words for Node that have each thread leave a profile in a folder when it ends. */
export function profileOptions(folder: string): string {
  return `--cpu-prof --cpu-prof-dir=${folder}`
}

/** The share, from 0 to 1, of the busiest thread's samples in functions of files whose path fits, and in what they call. */
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
  const fitting = new Set<number>()
  // Callers stand before those that they call.
  for (const { id, callFrame, children = [] } of nodes) {
    if (files.test(callFrame.url)) fitting.add(id)
    if (fitting.has(id)) for (const child of children) fitting.add(child)
  }
  let [passed, inside, all] = [0, 0, 0]
  for (const [n, id] of samples.entries()) {
    passed += timeDeltas[n] ?? 0
    if (passed < SKIPPED_US || frames.get(id)!.functionName === '(idle)') continue
    all++
    if (fitting.has(id)) inside++
  }
  return { inside, samples: all }
}
