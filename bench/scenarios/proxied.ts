/** A small response of a back end over kept connections. */
import { BACKEND, PASS, type Scenario, serverBlock } from '../scenario.ts'

export const proxied: Scenario = {
  name: 'proxied',
  title: 'proxied, keep-alive',
  http: BACKEND + serverBlock(`location / { ${PASS} }`),
  target: '/small',
  expected: 1.15,
}
