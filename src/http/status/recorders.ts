/** Memory for records of single requests, which is there only where a directive asks for it. */
import { RequestSamples, SAMPLES_SIZE } from '../../shared/request-samples.ts'
import { TOP_SIZE, TopRecords } from '../../shared/top-records.ts'
import { Zone } from '../../shared/zone.ts'
import type { HttpTree } from '../compile/module.ts'

const SAMPLES_ZONE = 'recent requests'
const TOP_ZONE = 'top requests'
const TAG = 'http_status_requests'

/** The last requests; undefined where nobody asked for them. `ask`: this is who does. */
export function samplesOf(tree: HttpTree, ask: boolean): RequestSamples | undefined {
  return tree.shared('recent requests', () => {
    const buffer = memoryOf(tree, SAMPLES_ZONE, SAMPLES_SIZE, ask)
    return { records: buffer === undefined ? undefined : RequestSamples.attach(SAMPLES_ZONE, buffer) }
  }).records
}

/** What comes most often; undefined where nobody asked for it. `ask`: this is who does. */
export function topOf(tree: HttpTree, ask: boolean): TopRecords | undefined {
  return tree.shared('top requests', () => {
    const buffer = memoryOf(tree, TOP_ZONE, TOP_SIZE, ask)
    const zone = buffer === undefined ? undefined : Zone.attach(TOP_ZONE, buffer, TAG)
    return { records: zone === undefined ? undefined : new TopRecords(zone) }
  }).records
}

function memoryOf(tree: HttpTree, name: string, size: number, ask: boolean): SharedArrayBuffer | undefined {
  return ask ? tree.zone(name, size, TAG) : tree.zoneMemory(name)
}
