/** A connection per request: accepting and closing. */
import { type Scenario, serverBlock } from '../scenario.ts'

export const noKeepalive: Scenario = {
  name: 'no-keepalive',
  title: 'fixed response, no keep-alive',
  http: serverBlock('location / { default_type text/plain; return 200 "Hello, world!\\n"; }'),
  target: '/',
  headers: ['Connection: close'],
  expected: 1,
}
