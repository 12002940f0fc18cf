/**
 * Whether anything in a configuration shows what is counted, or lets change it: where nothing does, nothing is counted
 * that only they ask for. The master knows when it has read all blocks; workers, which have not, see it by the zones.
 */
import type { HttpTree } from '../compile/module.ts'

/** Who needs a zone: those who show what is counted, or those who change servers. */
type ZoneUse = 'reads' | 'writes'

interface ZoneWish {
  readonly name: string
  readonly size: number
  readonly tag: string
  readonly use: ZoneUse
}

/** The readers of one tree. */
class StatusReaders {
  readonly #tree: HttpTree
  readonly #wishes: ZoneWish[] = []
  #reads = false
  #writes = false

  constructor(tree: HttpTree) {
    this.#tree = tree
    tree.afterAttach(() => this.#settle())
  }

  /** Something shows what is counted, and may let change it. */
  note(writes: boolean): void {
    this.#reads = true
    this.#writes ||= writes
  }

  /** A zone that is there only when it is of use; to be asked for in `init`. */
  zone(name: string, size: number, tag: string, use: ZoneUse): SharedArrayBuffer | undefined {
    if (this.#tree.role === 'master') this.#wishes.push({ name, size, tag, use })
    return this.#tree.zoneNames().includes(name) ? this.#tree.zone(name, size, tag) : undefined
  }

  #settle(): void {
    for (const { name, size, tag, use } of this.#wishes.splice(0)) {
      if (use === 'reads' ? this.#reads : this.#writes) this.#tree.zone(name, size, tag)
    }
  }
}

/** The readers of a tree. */
export function statusReadersOf(tree: HttpTree): StatusReaders {
  return tree.shared('status readers', () => new StatusReaders(tree))
}
