/** A wire to nobody: for what asks a connection where there is none. What is written to it is gone. */
import { Wire } from './wire.ts'

export class NoWire extends Wire {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 0
  readonly localAddress = '127.0.0.1'

  protected send(): void {}
  protected sendEnd(): void {}
  protected closeNow(): void {}
  protected closeWhenFlushed(): void {}
  protected get kernelBytes(): number {
    return 0
  }
  protected get backedUp(): boolean {
    return false
  }
  protected get dead(): boolean {
    return true
  }
  pause(): void {}
  resume(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}
  reset(): void {}
}
