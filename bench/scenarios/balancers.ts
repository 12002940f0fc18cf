/**
 * The balancing methods over the same back end, ten times and a thousand times: compare the rows with "proxied" and with
 * each other. All connections are to one address, so the number of servers alone makes the difference.
 */
import { PASS, type Scenario, serverBlock } from '../scenario.ts'

const http = serverBlock(`location / { ${PASS} }`)
// A failure of one must not empty the group: it is the same server every time.
const SERVER = 'server %%ORIGIN%% max_fails=0;'

function balanced(name: string, title: string, method: string, servers: number): Scenario {
  const group = `${method} ${`${SERVER} `.repeat(servers)} keepalive 64; keepalive_requests 1000000;`
  return { name, title, http: `upstream backend { ${group} }\n${http}`, target: '/small' }
}

export const balancers: readonly Scenario[] = [
  balanced('round-robin-10', 'proxied, round robin of 10', '', 10),
  balanced('least-conn-10', 'proxied, least_conn of 10', 'least_conn;', 10),
  balanced('hash-10', 'proxied, consistent hash of 10', 'hash $request_uri consistent;', 10),
  balanced('round-robin-1000', 'proxied, round robin of 1,000', '', 1000),
]
