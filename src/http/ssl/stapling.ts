/** `ssl_stapling`: the answer about our own certificate that clients are shown (ngx_ssl_stapling). */
import { toBinary } from '../../config/text.ts'
import { errnoText } from '../../lib/errno.ts'
import type { Pair } from '../../net/tls-wire-context.ts'
import type { AttachContext } from '../module.ts'
import type { SslLoader } from './loader.ts'
import type { SslServerConf } from './server-directives.ts'

/** Returns who knows the answer; it is undefined as long as there is none. */
export function compileStapling(
  conf: SslServerConf,
  at: AttachContext,
  files: SslLoader,
  _pairs: readonly Pair[],
): () => Buffer | undefined {
  const { ssl_stapling, ssl_stapling_file: file } = conf
  if (!ssl_stapling || file === undefined) return none
  const { text, errno } = at.readRenewable(file.path)
  if (errno !== '') {
    files.fail(`BIO_new_file("${file.path}") failed ${errnoText(errno)}`)
    return none
  }
  const answer = Buffer.from(toBinary(text), 'latin1')
  return () => answer
}

function none(): undefined {}
