/** What those who show status need of a tree from its beginning, whether its blocks are read yet or not. */
import { PEER_TLS_TOTALS_SIZE, PeerTlsTotals, sumPeerTlsIn } from '../../upstream/tls-counts.ts'
import type { HttpTree } from '../compile/module.ts'
import { countTlsIn } from '../server/tls-counts.ts'
import { serverFactsOf } from './machine.ts'
import { statusReadersOf } from './readers.ts'
import { workersOf } from './workers.ts'

const TAG = 'http_status'
const PEER_TLS = 'TLS of all back ends'

/** Asks for memory; to be called in `init` by every module that shows something. */
export function prepareStatus(tree: HttpTree): void {
  tree.shared('status prepared', () => {
    workersOf(tree)
    serverFactsOf(tree)
    countTlsIn(tree, (name, size) => statusReadersOf(tree).zone(name, size, TAG, 'reads'))
    const buffer = statusReadersOf(tree).zone(PEER_TLS, PEER_TLS_TOTALS_SIZE, TAG, 'reads')
    const peers = buffer === undefined ? undefined : PeerTlsTotals.attach(PEER_TLS, buffer)
    tree.onStart(() => sumPeerTlsIn(peers))
    return true
  })
}
