/**
 * What a client says about the order of its streams, in the way of RFC 7540 (5.3), which RFC 9113 leaves to the server
 * and old browsers still speak: a tree of streams with weights. nginx sends what stands higher in it first, and among
 * equals what weighs more; so does this. A client that says nothing of the kind has no tree.
 */

/** Streams that the tree remembers; beyond, the oldest is taken out and its children move up. */
const NODES_MAX = 160
const WEIGHT_DEFAULT = 16
const WEIGHT_WHOLE = 256

/** What a stream's place comes down to; smaller ranks go first, and of equal ones the larger share. */
export interface Prioritized {
  readonly id: number
  rank: number
  share: number
}

/** The rank of a stream that depends on none. */
export const RANK_DEFAULT = 1
/** Its share with the default weight. */
export const SHARE_DEFAULT: number = WEIGHT_DEFAULT / WEIGHT_WHOLE

interface Node {
  parent: Node | undefined
  weight: number
}

/** One connection's tree. */
export class Priorities {
  /** In the order in which they came in. */
  readonly #nodes = new Map<number, Node>()

  /** Begins with the streams that are open. */
  constructor(open: readonly { readonly id: number }[] = []) {
    for (const { id } of open) this.opened(id)
  }

  /** Puts `id` below `parent` (0: below none); `weight` is that of the wire plus one. */
  set(id: number, parent: number, weight: number, exclusive: boolean): void {
    const node = this.#nodes.get(id) ?? this.#make(id)
    const above = this.#nodes.get(parent)
    // Who is moved below one of its own children changes places with it.
    if (above !== undefined && isBelow(above, node)) above.parent = node.parent
    if (exclusive && (above !== undefined || parent === 0)) {
      for (const other of this.#nodes.values()) if (other.parent === above && other !== node) other.parent = node
    }
    node.parent = above
    node.weight = weight
  }

  /** A stream that is open may be depended on. */
  opened(id: number): void {
    if (!this.#nodes.has(id)) this.#make(id)
  }

  /** Writes a stream's place. */
  place(stream: Prioritized): void {
    stream.rank = 0
    stream.share = 1
    for (let at = this.#nodes.get(stream.id); at !== undefined; at = at.parent) {
      stream.rank++
      stream.share *= at.weight / WEIGHT_WHOLE
    }
  }

  #make(id: number): Node {
    if (this.#nodes.size >= NODES_MAX) this.#takeOut()
    const node: Node = { parent: undefined, weight: WEIGHT_DEFAULT }
    this.#nodes.set(id, node)
    return node
  }

  #takeOut(): void {
    for (const [id, oldest] of this.#nodes) {
      this.#nodes.delete(id)
      let weights = 0
      for (const { parent, weight } of this.#nodes.values()) if (parent === oldest) weights += weight
      for (const node of this.#nodes.values()) {
        if (node.parent !== oldest) continue
        node.parent = oldest.parent
        node.weight = Math.max(1, Math.floor((oldest.weight * node.weight) / weights))
      }
      return
    }
  }
}

function isBelow(node: Node, above: Node): boolean {
  for (let at = node.parent; at !== undefined; at = at.parent) if (at === above) return true
  return false
}
