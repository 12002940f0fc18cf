/** Values by network, the longest prefix first (nginx's radix trees): one table for each prefix length that occurs. */

interface Length<V> {
  readonly bits: number
  readonly byNetwork: Map<string, V>
}

/** For the addresses of one family, as bytes (see ip.ts). */
export class CidrMap<V> {
  /** Longest first. */
  readonly #lengths: Length<V>[] = []

  /** Sets the value of a network; returns the one that it had. */
  set(address: string, bits: number, value: V): V | undefined {
    let length = this.#lengths.find((l) => l.bits === bits)
    if (length === undefined) {
      length = { bits, byNetwork: new Map() }
      this.#lengths.push(length)
      this.#lengths.sort((a, b) => b.bits - a.bits)
    }
    const key = network(address, bits)
    const old = length.byNetwork.get(key)
    length.byNetwork.set(key, value)
    return old
  }

  /** Removes a network; false when it was not there. */
  delete(address: string, bits: number): boolean {
    return this.#lengths.find((l) => l.bits === bits)?.byNetwork.delete(network(address, bits)) === true
  }

  find(address: string): V | undefined {
    for (const { bits, byNetwork } of this.#lengths) {
      const value = byNetwork.get(network(address, bits))
      if (value !== undefined) return value
    }
    return undefined
  }
}

/** The first `bits` of an address. */
function network(address: string, bits: number): string {
  const whole = bits >> 3
  const rest = bits & 7
  if (rest === 0) return address.slice(0, whole)
  return address.slice(0, whole) + String.fromCharCode(address.charCodeAt(whole) & (0xff00 >> rest) & 0xff)
}
