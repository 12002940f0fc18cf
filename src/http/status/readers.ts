/**
 * Whether anything in a configuration shows what is counted, or lets change it: where nothing does, nothing is counted
 * that only they ask for. The master knows when it has read all blocks; workers, which have not, see it by the zones.
 */
import type { HttpTree } from '../compile/module.ts'

/** Who needs a zone: those who show what is counted, those whom people look at, or those who change servers. */
type ZoneUse = 'reads' | 'looks' | 'writes'

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
  readonly #uses = new Set<ZoneUse>()

  constructor(tree: HttpTree) {
    this.#tree = tree
    tree.afterAttach(() => this.#settle())
  }

  /** Something shows what is counted; beside that people may look at it (`looks`), and change it (`writes`). */
  note(...more: readonly ('looks' | 'writes')[]): void {
    this.#uses.add('reads')
    for (const use of more) this.#uses.add(use)
  }

  /** A zone that is there only when it is of use; to be asked for in `init`. */
  zone(name: string, size: number, tag: string, use: ZoneUse): SharedArrayBuffer | undefined {
    if (this.#tree.role === 'master') this.#wishes.push({ name, size, tag, use })
    return this.#tree.zoneNames().includes(name) ? this.#tree.zone(name, size, tag) : undefined
  }

  #settle(): void {
    for (const { name, size, tag, use } of this.#wishes.splice(0)) {
      if (this.#uses.has(use)) this.#tree.zone(name, size, tag)
    }
  }
}

/** The readers of a tree. */
export function statusReadersOf(tree: HttpTree): StatusReaders {
  return tree.shared('status readers', () => new StatusReaders(tree))
}
