/** All checks, in the order of their page. */
import type { Check } from './check.ts'
import { accessChecks } from './checks/access.ts'
import { advisoryChecks } from './checks/advisories.ts'
import { answerChecks } from './checks/answers.ts'
import { cachingChecks } from './checks/caching.ts'
import { generalChecks } from './checks/general.ts'
import { headerChecks } from './checks/headers.ts'
import { locationChecks } from './checks/locations.ts'
import { proxyChecks } from './checks/proxy.ts'
import { timeChecks } from './checks/times.ts'
import { tlsChecks } from './checks/tls.ts'

/** What is wrong for the server itself is found by its own reading; these only name it. */
const nothing = (): void => undefined

/** Findings that the server makes when it loads the configuration. */
export const LOADING = {
  error: {
    id: 'configuration_error',
    level: 'high',
    title: 'the server would not start',
    why: 'The configuration is wrong; the message is that of the server.',
    advice: 'The message says what and where.',
    bad: 'server { lisen 80; }',
    good: 'server { listen 80; }',
    find: nothing,
  },
  warning: {
    id: 'configuration_warning',
    level: 'low',
    title: 'the server warns',
    why: 'It starts, and part of the configuration is not as written.',
    advice: 'The message says what and where.',
    bad: 'server { listen 443 ssl http2; }',
    good: 'server { listen 443 ssl; http2 on; }',
    find: nothing,
  },
  unsupported: {
    id: 'unsupported_directive',
    level: 'medium',
    title: 'a directive of nginx that Viaduct does not have',
    why: 'Viaduct would not start with it; nginx would.',
    advice: 'The message says what to use instead, where there is something.',
    bad: 'server { listen 443 quic; http3 on; }',
    good: 'server { listen 443 ssl; http2 on; }',
    find: nothing,
  },
  missing: {
    id: 'missing_file',
    level: 'low',
    title: 'a file that the configuration needs is not here',
    why: 'The server would not start on this machine.',
    advice: 'Put the file there, or correct its name.',
    bad: 'events {} http { server { listen 80; location / { auth_basic x; } } include no-such-file.conf; }',
    good: 'events {} http { server { listen 80; } }',
    find: nothing,
  },
} as const satisfies Readonly<Record<string, Check>>

/** Every check. */
export const CHECKS: readonly Check[] = [
  ...Object.values(LOADING),
  ...headerChecks,
  ...accessChecks,
  ...proxyChecks,
  ...locationChecks,
  ...answerChecks,
  ...cachingChecks,
  ...timeChecks,
  ...tlsChecks,
  ...generalChecks,
  ...advisoryChecks,
]
