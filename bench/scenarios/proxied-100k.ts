/** A response of 100 KB of a back end over kept connections. */
import { BACKEND, PASS, type Scenario, serverBlock } from '../scenario.ts'

export const proxied100k: Scenario = {
  name: 'proxied-100k',
  title: 'proxied, 100 KB',
  http: BACKEND + serverBlock(`location / { ${PASS} }`),
  target: '/100k',
  expected: 1.1,
}
