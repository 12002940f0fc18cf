/**
 * How full zones are, in the words of NGINX Plus: pages, and slots of one size. Zones that no directive names are left
 * out; those whose memory is handed out in another way than in cells tell no slots.
 */
import { CacheIndex } from '../../shared/cache/index.ts'
import { CACHE_ZONE_KIND } from '../../shared/cache/memory.ts'
import { Upkeep } from '../../shared/cache/upkeep.ts'
import { Table } from '../../shared/table.ts'
import { Zone } from '../../shared/zone.ts'
import { zoneFill } from '../../upstream/group-state.ts'
import type { HttpTree } from '../compile/module.ts'

const PAGE = 4096
const CELL = 64
/** Kinds of zones that are tables. */
const TABLES = [
  'limit_req',
  'limit_conn',
  'sticky',
  'keyval',
  'ngx_http_ssl_module',
  'ngx_http_ssl_module ocsp',
  'vhost_traffic_status',
]

/** One zone. */
interface SlabObject {
  readonly pages: { readonly used: number; readonly free: number }
  readonly slots: Readonly<Record<string, SlotObject>>
}

interface SlotObject {
  readonly used: number
  readonly free: number
  readonly reqs: number
  readonly fails: number
}

/** All zones that directives name. */
export function slabObjects(tree: HttpTree): ReadonlyMap<string, SlabObject> {
  const found = new Map<string, SlabObject>()
  for (const name of tree.zoneNames()) {
    // Those of the program's own have names of several words.
    const buffer = /[ :]/.test(name) ? undefined : tree.zoneMemory(name)
    const zone = buffer === undefined ? undefined : Zone.find(name, buffer)
    if (zone !== undefined) found.set(name, slabOf(zone))
  }
  return found
}

function slabOf(zone: Zone): SlabObject {
  if (zone.is(CACHE_ZONE_KIND)) {
    const upkeep = new Upkeep(new CacheIndex(zone))
    return cells(upkeep.cellCount - upkeep.freeCells, upkeep.cellCount)
  }
  if (TABLES.some((kind) => zone.is(kind))) {
    const { used, total } = new Table(zone).cells
    return cells(used, total)
  }
  const used = zone.is('upstream') ? zoneFill(zone) : zone.size
  return { pages: pagesOf(used, zone.size), slots: {} }
}

function cells(used: number, total: number): SlabObject {
  const slots = { [CELL]: { used, free: total - used, reqs: used, fails: 0 } }
  return { pages: pagesOf(used * CELL, total * CELL), slots }
}

function pagesOf(used: number, size: number): SlabObject['pages'] {
  const all = Math.floor(size / PAGE)
  const taken = Math.min(all, Math.ceil(used / PAGE))
  return { used: taken, free: all - taken }
}
