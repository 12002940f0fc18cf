/** What `-v`, `-V` and `-h` print: nginx's lines, because other programs read them. */
import { NGINX_VERSION, VERSION } from '../lib/version.ts'
import { whyNoRing } from '../net/engine.ts'
import { WITHOUT, withParts } from './features.ts'
import { defaultConf } from './origin.ts'

/** Returns the text of `-v`; with `configure`, that of `-V`; with `help`, that of `-h`. */
export function versionText(show: { readonly configure: boolean; readonly help: boolean }): string {
  const lines = [`nginx version: nginx/${NGINX_VERSION}`, `viaduct version: viaduct/${VERSION}`]
  if (show.help) lines.push(...helpLines(), '')
  if (show.configure) {
    lines.push(
      `built by Viaduct ${VERSION} on Node ${process.versions.node}`,
      `built with OpenSSL ${process.versions.openssl}`,
      'TLS SNI support enabled',
      eventMethods(),
      `configure arguments: ${[...withParts(), ...WITHOUT].join(' ')}`,
    )
  }
  return lines.join('\n') + '\n'
}

/** What may drive sockets on this machine. */
function eventMethods(): string {
  const why = whyNoRing()
  return why === '' ? 'event methods: epoll io_uring' : `event methods: epoll (no io_uring: ${why})`
}

function helpLines(): string[] {
  return [
    'Usage: viaduct [-?hvVtTq] [-s signal] [-p prefix]',
    '               [-e filename] [-c filename] [-g directives]',
    '',
    'Options:',
    '  -?,-h         : this help',
    '  -v            : show version and exit',
    '  -V            : show version and configure options then exit',
    '  -t            : test configuration and exit',
    '  -T            : test configuration, dump it and exit',
    '  -q            : suppress non-error messages during configuration testing',
    '  -s signal     : send signal to a master process: stop, quit, reopen, reload',
    "  -p prefix     : set prefix path (default: the configuration file's folder)",
    '  -e filename   : set error log file (default: error.log)',
    `  -c filename   : set configuration file (default: ${defaultConf()})`,
    '  -g directives : set global directives out of configuration file',
  ]
}
