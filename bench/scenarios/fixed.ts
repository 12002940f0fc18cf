/** A fixed response from memory: what the engine itself costs. */
import { type Scenario, serverBlock } from '../scenario.ts'

export const fixed: Scenario = {
  name: 'fixed',
  title: 'fixed response',
  http: serverBlock('location / { default_type text/plain; return 200 "Hello, world!\\n"; }'),
  target: '/',
  expected: 1.15,
}
